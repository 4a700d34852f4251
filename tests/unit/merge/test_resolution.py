"""Which version stands: what was seen decides first, the clock second, and nothing vanishes."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from causeway.merge import ZERO, Timestamp, Version, Versions, add, join, resolve, sibling_name, tick, witness
from tests.unit.merge.test_versions_join import collected, lists_of_versions

PLACES = ["a", "b", "hub"]
HOURS_MS = 3_600_000
steps = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["write", "delete", "hear"]), st.sampled_from(PLACES)),
    max_size=30,
)
skews = st.fixed_dictionaries({place: st.integers(-5 * HOURS_MS, 5 * HOURS_MS) for place in PLACES})


class World:
    """Places that write one document and hear of each other's newest write, each by its own wrong clock."""

    def __init__(self, skew_ms: Mapping[str, int]) -> None:
        self.skew_ms = skew_ms
        self.now_ms = 10 * HOURS_MS
        self.logs: dict[str, Versions] = {place: {} for place in PLACES}
        self.last = dict.fromkeys(PLACES, ZERO)
        self.written: list[Version] = []

    def step(self, place: str, what: str, other: str) -> None:
        self.now_ms += 1
        if what == "hear":
            self.hear(place, other)
        else:
            self.write(place, deleted=what == "delete")

    def hear(self, place: str, other: str) -> None:
        version = self.logs[other].get(other)
        if version is not None and place != other:
            self.logs[place] = add(self.logs[place], version)
            self.last[place] = witness(self.last[place], version.written)

    def write(self, place: str, *, deleted: bool) -> None:
        log = self.logs[place]
        self.last[place] = tick(self.last[place], self.now_ms + self.skew_ms[place], place)
        revision = log[place].revision + 1 if place in log else 1
        seen = {origin: version.revision for origin, version in log.items() if origin != place}
        version = Version(place, revision, 0, self.last[place], seen, deleted)
        self.logs[place] = add(log, version)
        self.written.append(version)


def world(skew_ms: Mapping[str, int], taken: list[tuple[str, str, str]]) -> World:
    made = World(skew_ms)
    for step in taken:
        made.step(*step)
    return made


def had_seen(later: Version, earlier: Version) -> bool:
    if later.origin == earlier.origin:
        return later.revision > earlier.revision
    return later.seen.get(earlier.origin, 0) >= earlier.revision


@given(lists_of_versions)
def test_no_version_vanishes_and_none_is_there_twice(versions: list[Version]) -> None:
    held = collected(versions)
    resolution = resolve(held)
    found = [*([resolution.winner] if resolution.winner else []), *resolution.siblings, *resolution.superseded]
    assert sorted(found, key=lambda version: version.origin) == sorted(
        held.values(), key=lambda version: version.origin
    )
    assert (resolution.winner is None) == (not held)


@given(lists_of_versions)
def test_the_outcome_depends_on_the_set_and_not_on_its_order(versions: list[Version]) -> None:
    held = collected(versions)
    backwards = {origin: held[origin] for origin in reversed(list(held))}
    assert resolve(held) == resolve(backwards)


@given(skews, steps)
def test_every_write_wins_or_was_seen_by_another_or_is_a_named_sibling(
    skew_ms: dict[str, int], taken: list[tuple[str, str, str]]
) -> None:
    made = world(skew_ms, taken)
    resolution = resolve(collected(made.written))
    kept = [resolution.winner, *resolution.siblings]
    for version in made.written:
        assert version in kept or any(had_seen(later, version) for later in made.written)


@given(skews, steps)
def test_a_write_that_has_seen_another_is_never_its_sibling(
    skew_ms: dict[str, int], taken: list[tuple[str, str, str]]
) -> None:
    made = world(skew_ms, taken)
    resolution = resolve(collected(made.written))
    standing = [version for version in (resolution.winner, *resolution.siblings) if version]
    assert not [(one, other) for one in standing for other in standing if one != other and had_seen(one, other)]


@given(skews, steps)
def test_places_that_have_heard_everything_agree(skew_ms: dict[str, int], taken: list[tuple[str, str, str]]) -> None:
    made = world(skew_ms, taken)
    everything: Versions = {}
    for log in made.logs.values():
        everything = join(everything, log)
    outcomes = [resolve(join(log, everything)) for log in made.logs.values()]
    assert outcomes == [outcomes[0]] * len(PLACES)


@given(skews, steps)
def test_stamps_rise_along_what_was_seen(skew_ms: dict[str, int], taken: list[tuple[str, str, str]]) -> None:
    made = world(skew_ms, taken)
    for later in made.written:
        for earlier in made.written:
            assert not had_seen(later, earlier) or later.written > earlier.written


def version(origin: str, revision: int, wall_ms: int, seen: dict[str, int] | None = None) -> Version:
    return Version(origin, revision, 0, Timestamp(wall_ms, 0, origin), seen or {}, False)


def test_a_clock_hours_ahead_wins_conflicts_but_hides_no_correction_of_what_it_wrote() -> None:
    ahead = version("a", 1, 5 * HOURS_MS)
    correction = version("hub", 1, HOURS_MS, {"a": 1})
    unaware = version("b", 1, HOURS_MS)
    assert resolve(collected([ahead, unaware])).winner == ahead
    resolution = resolve(collected([ahead, correction]))
    assert (resolution.winner, resolution.siblings, resolution.superseded) == (correction, (), (ahead,))


def test_siblings_are_ordered_newest_first_and_named_for_their_origin() -> None:
    resolution = resolve(collected([version("a", 1, 1), version("b", 1, 2), version("hub", 1, 3)]))
    assert [sibling_name("report.md", sibling.origin) for sibling in resolution.siblings] == [
        "report.md~b",
        "report.md~a",
    ]


def test_an_edit_after_the_conflict_ends_it() -> None:
    resolution = resolve(collected([version("a", 1, 9), version("b", 1, 8), version("hub", 2, 1, {"a": 1, "b": 1})]))
    assert resolution.winner is not None
    assert (resolution.winner.origin, resolution.siblings) == ("hub", ())


def test_versions_that_claim_to_have_seen_each_other_leave_one_winner_by_the_clock() -> None:
    one, other = version("a", 1, 2, {"b": 5}), version("b", 1, 1, {"a": 5})
    resolution = resolve(collected([one, other]))
    assert (resolution.winner, resolution.siblings) == (one, (other,))
