"""What happened in a run, one line an event, for people. Off unless lines are wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.observation import Write

if TYPE_CHECKING:
    from tests.simulation.world import Pending, World


@dataclass(frozen=True)
class Trace:
    """`line` gets each line; None keeps silent. `turns` shows every call of every process too."""

    line: Callable[[str], None] | None = None
    turns: bool = False

    def say(self, world: "World", where: str, what: str) -> None:
        """One event."""
        if self.line is not None:
            self.line(f"{world.done:6d} {world.loop.now_s:10.3f}s {where:8s} {what}")

    def write(self, world: "World", write: Write) -> None:
        """A producer got its acknowledgement."""
        if self.line is not None:
            what = "delete" if write.deleted else f"write {len(write.texts)} chunks of"
            name = f"{write.kb}/{write.document_id}"
            self.say(
                world, write.place, f"{what} {name} rev {write.revision} {write.residency} knowing {dict(write.known)}"
            )

    def turn(self, world: "World", pending: "Pending") -> None:
        """A process goes on."""
        if self.turns:
            self.say(world, pending.process.place, f"{pending.process.name}: {pending.label}")
