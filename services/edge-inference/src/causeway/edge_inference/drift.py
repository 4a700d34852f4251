"""Whether live answers still keep the promise of their calibration, and at which threshold they would. Pure.

The test is a mixture of e-detectors (Shin, Ramdas and Rinaldo, 2023): each bets a different part of its wealth, after
every judged answer, that answers are right less often than promised, and never falls below its stake. While the promise
is kept the wealth grows by no more than the stakes that were paid in, so the first false alarm comes after
`JUDGED_PER_FALSE_ALARM` judged answers or more on average, whenever one looks; when the promise is broken it grows
exponentially. What it rests on: that an answer is judged is not more likely because it is wrong. Shadow audits draw by
chance; people complain more than they praise, so feedback alone alarms early.

Of audits, one that could not tell counts as right here. Were it left out, what is left would be biased: a right answer
in a model's own words is seldom recognised, one from another document mostly. So the share of audits is of answers that
the cloud does not contradict, at least that of right answers (but for what `judging` takes for a difference wrongly):
an alarm by audits says that more than was allowed was contradicted, and a loss that the words do not show goes unseen.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from causeway.calibration.bounds import exceeds

JUDGED_PER_FALSE_ALARM = 1_000.0
# Precisions that the bets are best against, as parts of the promise: a small loss and a large one.
BETS_ON = (0.92, 0.80, 0.50)
# How many of the newest judged answers a threshold is chosen from, and how many it takes to choose at all.
EVIDENCE_MAX = 200
EVIDENCE_MIN = 20
# A threshold that is chosen from live answers keeps the promise with this chance of being too low.
DELTA = 0.2
# Nothing is this sure, so nothing stays local.
CLOSED = 1.0
# So many answers in a row that keep the promise bring the threshold half of the way back; at .7 right, 1 in 40 do so.
RECOVERY = 40
# Nearer than this to the fitted threshold is back.
NEAR = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A local answer and whether it was right; `probability` is the confidence that it was given with."""

    probability: float
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The alarm went on (`resolved` false), moved its threshold, or went off. `observed` is the share right of late."""

    resolved: bool
    observed: float
    judged: int
    threshold: float


@dataclass
class Drift:
    """One kb and language under one version of its calibration. Fold `judged` over the answers in their order.

    `threshold` is the one in force: the fitted one, or higher while the alarm is on.
    """

    promise: float
    fitted: float
    threshold: float = field(init=False)
    alarmed: bool = field(init=False, default=False)
    judged_total: int = field(init=False, default=0)
    _wealth: list[float] = field(init=False)
    _recent: deque[Judged] = field(init=False)
    _block: list[bool] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.threshold = self.fitted
        self._wealth = [0.0] * len(BETS_ON)
        self._recent = deque(maxlen=EVIDENCE_MAX)

    def judge(self, answer: Judged) -> Turn | None:
        """Take one more judged answer; returns what it changes.

        Answers below the fitted threshold were not promised anything and are not counted.
        """
        if answer.probability < self.fitted:
            return None
        self.judged_total += 1
        self._recent.append(answer)
        # Where nothing stays local, answers that were given for want of the cloud are what is judged.
        if answer.probability >= self.threshold or self.threshold >= CLOSED:
            self._bet(answer.right)
            self._block.append(answer.right)
        if self._evidence() >= JUDGED_PER_FALSE_ALARM:
            return self._raise()
        return self._lower() if self.alarmed else None

    @property
    def observed(self) -> float:
        """The share of the answers of late that were right; 1 where there are none."""
        return sum(one.right for one in self._recent) / len(self._recent) if self._recent else 1.0

    def go_on(self, turn: Turn) -> None:
        """Take over what was turned elsewhere by the same answers: what comes after it is folded from here."""
        self.alarmed = not turn.resolved
        self.threshold = max(self.fitted, turn.threshold) if self.alarmed else self.fitted
        self.judged_total = turn.judged
        self._begin_again()

    def _bet(self, right: bool) -> None:
        for at, part in enumerate(BETS_ON):
            stake = max(1.0, self._wealth[at])
            self._wealth[at] = stake * _factor(self.promise, part * self.promise, right)

    def _evidence(self) -> float:
        return sum(self._wealth) / len(self._wealth)

    def _raise(self) -> Turn | None:
        before = self.alarmed, self.threshold
        self.alarmed = True
        higher = [one for one in self._recent if one.probability >= self.threshold]
        self.threshold = max(self.threshold, supported(higher, self.promise))
        turn = self._turned()
        return None if (self.alarmed, self.threshold) == before else turn

    def _lower(self) -> Turn | None:
        """Half of the way back after each RECOVERY answers above the threshold that keep the promise."""
        if len(self._block) < RECOVERY:
            return None
        kept = sum(self._block) >= self.promise * RECOVERY
        self._block.clear()
        if not kept:
            return None
        halfway = (self.threshold + self.fitted) / 2
        self.threshold = self.fitted if halfway - self.fitted < NEAR else halfway
        self.alarmed = self.threshold > self.fitted
        return self._turned()

    def _turned(self) -> Turn:
        turn = Turn(
            resolved=not self.alarmed, observed=self.observed, judged=self.judged_total, threshold=self.threshold
        )
        self._begin_again()
        return turn

    def _begin_again(self) -> None:
        # What comes is judged by itself: it is given at another threshold.
        self._wealth = [0.0] * len(BETS_ON)
        self._recent.clear()
        self._block.clear()


def supported(answers: Sequence[Judged], promise: float) -> float:
    """Return the lowest probability above which these answers keep the promise with confidence, or CLOSED."""
    ordered = sorted(answers, key=lambda one: -one.probability)
    found, right = CLOSED, 0
    for count, one in enumerate(ordered, start=1):
        right += one.right
        last_of_its_kind = count == len(ordered) or ordered[count].probability < one.probability
        if last_of_its_kind and count >= EVIDENCE_MIN and exceeds(promise, right, count, DELTA):
            found = one.probability
    return found


def _factor(promise: float, believed: float, right: bool) -> float:
    """The likelihood of the outcome if `believed` of the answers are right, over that if the promised share is.

    Its mean is 1 where exactly the promise is kept, and less where more is: then the bet loses.
    """
    return believed / promise if right else (1 - believed) / (1 - promise)
