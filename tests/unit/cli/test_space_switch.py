"""Which processes go on with which model after the switch, and in which order they change over."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from causeway.bus import Caller
from causeway.cli import space_change
from causeway.cli.errors import StartFailedError
from causeway.cli.keys import SiteKeys
from causeway.cli.process_spec import ProcessSpec, Surroundings
from causeway.cli.site_config import ModelConfig, ServiceConfig, SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.cli.space_change import SpaceChange
from causeway.cli.space_progress import Progress
from causeway.cli.space_record import SpaceRecord, write_space
from causeway.proto.space import SpaceAction, SpaceAsked
from tests.support.waiting import until

PROGRAMS = ("ingestor", "embedder", "edge-inference", "cloud-inference")
OLD, NEW = "small", "large"


class ScriptedSupervisor:
    """Remembers what it is told. `running` has the spec of each process; those of `failing` are never ready."""

    def __init__(self, failing: str = "") -> None:
        self.running: dict[str, ProcessSpec] = {}
        self.said: list[str] = []
        self._failing = failing

    async def start(self, spec: ProcessSpec) -> None:
        self.said.append(f"start {spec.name}")
        self.running[spec.name] = spec

    async def ready(self, spec: ProcessSpec, timeout_s: float = 0.0) -> None:
        if spec.name == self._failing:
            raise StartFailedError(f"{spec.name} is not ready", "Read its log.")
        self.said.append(f"ready {spec.name}")

    async def retire(self, name: str, timeout_s: float) -> None:
        self.said.append(f"retire {name}")
        self.running.pop(name, None)

    async def take_over(self, name: str, spec: ProcessSpec, timeout_s: float) -> None:
        self.said.append(f"take over {spec.name}")
        del self.running[name]
        self.running[spec.name] = spec

    def models(self) -> dict[str, str]:
        """What each process encodes with."""
        return {
            name: next(value for variable, value in spec.env.items() if variable.endswith("_MODEL"))
            for name, spec in self.running.items()
        }


class CountedBus:
    """Holds nothing that waits."""

    async def count(self, stream: str) -> int:
        return 0

    async def purge(self, stream: str, subject: str) -> None:
        pass


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All vectors are made, and all documents move at once."""

    async def progress(*_: object) -> Progress:
        return Progress(chunks_total=3, chunks_done=3)

    async def nothing(*_: object) -> int:
        return 0

    monkeypatch.setattr(space_change, "read_progress", progress)
    monkeypatch.setattr(space_change, "count_elsewhere", nothing)
    monkeypatch.setattr(space_change, "forget_space", nothing)
    monkeypatch.setattr(space_change, "embedding_space", lambda model, precision: f"{model}/{precision}")
    return iter(())


async def switched(root: Path, config: SiteConfig, supervisor: ScriptedSupervisor) -> str:
    """Ask a running place for the switch, wait for its end, and return the reason why it is not done."""
    config = replace(config, model=ModelConfig(name=OLD))
    folder = SiteFolder(root)
    around = Surroundings(
        commands={name: f"/bin/{name}" for name in PROGRAMS},
        environ={},
        keys=SiteKeys(root),
        folder=folder,
        vault=root / "vault",
        secrets={},
    )
    write_space(folder, SpaceRecord(model=OLD, precision="int8", next_model=NEW, next_precision="int8"))
    bus: Any = CountedBus()
    kept: Any = supervisor
    change = SpaceChange(config, around, folder, kept, bus)
    caller: Any = Caller
    await change.asked(caller, SpaceAsked(action=SpaceAction.SWITCH))
    async with asyncio.timeout(10.0):
        await until(lambda: not change._switching)
    status = await change.status()
    await change.close()
    return status.reason


async def test_at_a_hub_cloud_inference_encodes_with_the_new_model_and_is_never_away(tmp_path: Path) -> None:
    supervisor = ScriptedSupervisor()
    hub = SiteConfig(site="hub", services=SiteConfig().services | {"cloud-inference": ServiceConfig(replicas=2)})
    assert await switched(tmp_path, hub, supervisor) == ""
    assert supervisor.models() == dict.fromkeys(
        ("edge-inference", "embedder", "ingestor", "cloud-inference-1", "cloud-inference-2"), NEW
    )
    told = [line for line in supervisor.said if "cloud" in line]
    assert [line.split()[0] for line in told] == ["start", "start", "ready", "ready", "take", "take"]
    assert supervisor.said.index("ready embedder") < supervisor.said.index(told[0])


async def test_at_a_site_there_is_no_cloud_inference_to_change_over(tmp_path: Path) -> None:
    supervisor = ScriptedSupervisor()
    assert await switched(tmp_path, SiteConfig(site="branch-1"), supervisor) == ""
    assert set(supervisor.models()) == {"edge-inference", "embedder", "ingestor"}


async def test_a_cloud_inference_that_does_not_come_up_is_named_and_leaves_no_second_one(tmp_path: Path) -> None:
    supervisor = ScriptedSupervisor(failing="cloud-inference-next")
    reason = await switched(tmp_path, SiteConfig(site="hub"), supervisor)
    assert "cloud-inference-next is not ready: start the place again" in reason
    assert "cloud-inference-next" not in supervisor.running
