"""An engine that hangs at its start is started again; one that is given up is not."""

from causeway.cli.engine_watch import engine_started, until_ready
from causeway.cli.errors import StartFailedError
from causeway.cli.process_spec import ProcessSpec
from tests.support.waiting import until

SPEC = ProcessSpec(name="engine", argv=(), env={}, ready_url="")


class Supervising:
    """Ready at the `ready_at`th try; given up at the `lost_at`th."""

    def __init__(self, ready_at: int = 99, lost_at: int = 99) -> None:
        self.tries = 0
        self.ended: list[str] = []
        self.lost: dict[str, str] = {}
        self._ready_at = ready_at
        self._lost_at = lost_at
        self.started: list[str] = []

    async def start(self, spec: ProcessSpec) -> None:
        self.started.append(spec.name)

    async def ready(self, spec: ProcessSpec, timeout_s: float = 0.0) -> None:
        self.tries += 1
        if self.tries == self._lost_at:
            self.lost[spec.name] = "it ended 5 times"
        if self.tries != self._ready_at:
            raise StartFailedError("not ready")

    def end(self, name: str) -> None:
        self.ended.append(name)


async def test_an_engine_that_is_ready_is_left_alone() -> None:
    supervisor = Supervising(ready_at=1)
    await until_ready(supervisor, SPEC, 1.0)
    assert supervisor.ended == []


async def test_an_engine_that_hangs_is_ended_each_time_until_it_is_ready() -> None:
    supervisor = Supervising(ready_at=3)
    await until_ready(supervisor, SPEC, 1.0)
    assert supervisor.ended == ["engine", "engine"]


async def test_an_engine_that_was_given_up_is_waited_for_no_longer() -> None:
    supervisor = Supervising(lost_at=2)
    await until_ready(supervisor, SPEC, 1.0)
    assert (supervisor.tries, supervisor.ended) == (2, ["engine"])


async def test_a_hub_without_an_engine_starts_none_and_one_with_does_not_wait_for_it() -> None:
    supervisor = Supervising(ready_at=1)
    async with engine_started(supervisor, None, 1.0):
        assert supervisor.started == []
    async with engine_started(supervisor, SPEC, 1.0):
        assert (supervisor.started, supervisor.tries) == (["engine"], 0)
        await until(lambda: supervisor.tries == 1)
