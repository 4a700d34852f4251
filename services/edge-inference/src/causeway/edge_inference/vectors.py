"""Follows VECTORS: the vectors of this replica's space for chunks that stand in KNOWLEDGE with those of another."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from causeway.bus import Bus, Delivery, Position
from causeway.edge_inference.replica import Replica
from causeway.edge_inference.vault import VectorsPosition
from causeway.proto import subjects
from causeway.proto.knowledge import ChunkReembedded

_log = logging.getLogger(__name__)
T = TypeVar("T")


class VectorFollowing:
    """At least once: a batch of vectors and the position after it are one commit of the vault, then the indexes.

    VECTORS and KNOWLEDGE are followed side by side, in no order between the two: a vector waits in the vault for its
    chunk, and a chunk that has no vector of this space yet is found by its terms.
    """

    def __init__(self, bus: Bus, replica: Replica, storage: Executor, space: str) -> None:
        self._replica = replica
        self._storage = storage
        self._space = subjects.space_token(space)
        self.follower = bus.follow(
            subjects.VECTOR.stream,
            [subjects.VECTOR.at("*", space=self._space)],
            self.position,
            self.handle,
            message_types=subjects.VECTOR.carries,
            on_reset=self.reset,
        )

    @property
    def at_end(self) -> bool:
        """Whether all vectors that there are have been applied."""
        return self.follower.caught_up.is_set() and self.follower.lag == 0

    async def position(self) -> Position:
        """Where this replica stands, by its vault: at the start in a space that the vault was not of."""
        held = self._replica.vault.state.vectors
        if held.space != self._space:
            return Position()
        return Position(seq=held.seq, stream_created=held.stream_created)

    async def reset(self, position: Position) -> None:
        """VECTORS was made anew: read it from its beginning, keep what is held."""
        _log.warning("VECTORS is not the log that was followed: reading it from its start, keeping what is held")
        await self._apply([], position)

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Commit a batch."""
        messages = [delivery.message for delivery in deliveries if isinstance(delivery.message, ChunkReembedded)]
        created = self.follower.position.stream_created
        await self._apply(messages, Position(seq=deliveries[-1].stream_seq, stream_created=created))

    async def _apply(self, messages: Sequence[ChunkReembedded], after: Position) -> None:
        position = VectorsPosition(space=self._space, seq=after.seq, stream_created=after.stream_created)
        await self._on_storage(lambda: self._replica.apply_vectors(messages, position))

    async def _on_storage(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._storage, act)
