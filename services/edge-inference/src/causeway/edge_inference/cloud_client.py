"""The hub over the link: one question, its parts checked as they come, and a word to the hub when nobody waits.

At most once: a question that got no answer is not asked again; the local answer stands for it.
"""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing

from causeway.bus import Bus, BusError, NoResponders, NotConnected, ProblemReply, RequestTimeout
from causeway.edge_inference.scheduling_ports import CloudFailed, CloudRefused
from causeway.proto import UndecodableError, subjects
from causeway.proto.cloud import CloudAnswer, CloudAsk, CloudCancel, CloudPart, CloudPartKind, Refusal

TEXT_CHARS_MAX = 64_000
CANCELS_MAX = 64
# The hub's time runs from when it has the ask; what it says at the end of it is on its way back for a while yet.
# Whoever knows the link gives up sooner.
LINK_S_MAX = 1.0
_REFUSALS = frozenset(Refusal)
# What `abort` cut at the deadline was checked by the hub: whole sentences with their citations, and it says so.
_ENDS = frozenset({"stop", "length", "abort"})
_log = logging.getLogger(__name__)


class LinkCloud:
    """Asks over a bus that is of the account of the link, and of nothing else: no other subject is known there."""

    def __init__(self, bus: Bus, site: str) -> None:
        self._bus = bus
        self._ask = subjects.CLOUD_ASK.at(site)
        self._cancel = subjects.CLOUD_CANCEL.at(site)
        self._cancels: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """See CloudClient."""
        return self._bus.connected

    async def ask(self, request: CloudAsk) -> AsyncGenerator[CloudPart, None]:
        """See CloudClient."""
        total_s = request.deadline_ms / 1000 + LINK_S_MAX
        checking, done = Checking(), False
        try:
            replies = self._bus.request_stream(self._ask, request, CloudPart, wait_s=total_s, total_s=total_s)
            async with aclosing(replies) as parts:
                async for part in parts:
                    checking.check(part)
                    done = part.kind is CloudPartKind.FINAL
                    yield part
                    if done:
                        return
            raise CloudFailed(CloudFailed.BROKEN, "it ended without a final part")
        except ProblemReply as reply:
            # The hub has ended it, and knows.
            done = True
            raise _problem(reply, begun=checking.begun) from reply
        except NoResponders as error:
            done = True
            raise CloudFailed(CloudFailed.UNREACHABLE, str(error)) from error
        except RequestTimeout as error:
            raise CloudFailed(CloudFailed.TIMEOUT, str(error)) from error
        except (NotConnected, BusError) as error:
            raise CloudFailed(CloudFailed.UNREACHABLE, str(error)) from error
        except UndecodableError as error:
            raise CloudFailed(CloudFailed.GARBAGE, str(error)) from error
        finally:
            if not done:
                self._tell_nobody_waits(request.ask_id)

    async def close(self) -> None:
        """Let what is being told be told."""
        if self._cancels:
            await asyncio.wait(self._cancels, timeout=1.0)

    def _tell_nobody_waits(self, ask_id: str) -> None:
        # By the side: whoever gave up has an answer to give, and does not wait for this.
        if len(self._cancels) < CANCELS_MAX:
            task = asyncio.create_task(self._notify(ask_id))
            self._cancels.add(task)
            task.add_done_callback(self._cancels.discard)

    async def _notify(self, ask_id: str) -> None:
        try:
            await self._bus.notify(self._cancel, CloudCancel(ask_id=ask_id))
        except (BusError, TimeoutError) as error:
            _log.info("the hub was not told that nobody waits", extra={"reason": str(error)})


class Checking:
    """What the parts of one reply must be: in order, of a bounded length, and whole at the end."""

    def __init__(self) -> None:
        self.begun = False
        self._last = -1
        self._chars = 0

    def check(self, part: CloudPart) -> None:
        """Raises CloudFailed, as garbage or as broken, when the part can not follow those before it."""
        if part.index <= self._last:
            raise CloudFailed(CloudFailed.GARBAGE, f"part {part.index} after part {self._last}")
        if part.kind is CloudPartKind.ACCEPTED and self._last >= 0:
            raise CloudFailed(CloudFailed.GARBAGE, "accepted twice")
        self._last = part.index
        self._chars += len(part.text)
        self.begun = self.begun or part.kind is CloudPartKind.TOKEN
        if self._chars > TEXT_CHARS_MAX:
            raise CloudFailed(CloudFailed.GARBAGE, f"more than {TEXT_CHARS_MAX} characters")
        if part.kind is CloudPartKind.FINAL:
            _check_answer(part.answer)


def _check_answer(answer: CloudAnswer | None) -> None:
    if answer is None:
        raise CloudFailed(CloudFailed.GARBAGE, "the final part has no answer")
    if answer.finish_reason not in _ENDS and not answer.abstained:
        raise CloudFailed(CloudFailed.BROKEN, f"the engine ended it: {answer.finish_reason}")
    if not answer.abstained and not answer.text.strip():
        raise CloudFailed(CloudFailed.GARBAGE, "the answer is empty")
    if len(answer.text) > TEXT_CHARS_MAX:
        raise CloudFailed(CloudFailed.GARBAGE, f"more than {TEXT_CHARS_MAX} characters")
    counts = (answer.cost_usd, answer.prompt_tokens, answer.completion_tokens, answer.watt_hours or 0.0)
    if not all(math.isfinite(count) and count >= 0 for count in counts):
        raise CloudFailed(CloudFailed.GARBAGE, "what it cost is no number")


def _problem(reply: ProblemReply, *, begun: bool) -> CloudRefused | CloudFailed:
    code = reply.problem.code
    if code in _REFUSALS and not begun:
        return CloudRefused(code, reply.problem.message)
    return CloudFailed(CloudFailed.BROKEN, f"{code}: {reply.problem.message}")
