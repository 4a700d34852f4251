"""What stands in for a neighbour of the scheduler that is not there: no cache, no calibration, no ledger, no limit."""

from collections.abc import Mapping, Sequence

from causeway.edge_inference.scheduling_ports import CacheLook, Judgement, Vector
from causeway.proto.answers import Answer, Ask
from causeway.proto.feedback import CitedChunk

UNCALIBRATED_THRESHOLD = 0.95
"""Above this estimate a local answer stands without a calibration. It promises nothing."""


class Uncalibrated:
    """The estimate as it is, against a conservative threshold."""

    def judge(self, kb: str, language: str, features: Mapping[str, float], raw: float) -> Judgement:
        """See Confidence."""
        return Judgement(probability=raw, calibrated=False, threshold=UNCALIBRATED_THRESHOLD, promise=0.0, version="")


class NoCache:
    """Never a hit."""

    def look(self, ask: Ask, language: str, vector: Vector, *, again: bool = False) -> CacheLook:
        """See AnswerCache."""
        return CacheLook()

    async def keep(self, ask: Ask, language: str, vector: Vector, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """See AnswerCache."""

    async def reject(self, kb: str, answer_id: str, reason: str) -> None:
        """See AnswerCache."""


class NoLedger:
    """Nothing is kept."""

    async def given(self, ask: Ask, answer: Answer, cited: Sequence[CitedChunk]) -> None:
        """See Ledger."""


class NoAudits:
    """Nothing is audited."""

    async def consider(self, ask: Ask, answer: Answer) -> None:
        """See Audits."""


class NoBudget:
    """No limit at this site; the hub has its own, and says `paused`."""

    def refusal(self, kb: str, tenant: str) -> str:
        """See Budget."""
        return ""
