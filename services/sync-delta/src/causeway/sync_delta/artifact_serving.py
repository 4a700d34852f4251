"""Pieces of artifacts for sites: out of the hub's object store, through a file that is filled once per object."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from causeway.bus import Bus, Caller, Endpoint, ObjectError, ProblemReply
from causeway.proto import Message, subjects
from causeway.proto.answers import Problem
from causeway.proto.documents import ObjectRef
from causeway.proto.link import ArtifactBytes, FetchArtifact, OffersAsked
from causeway.proto.outbox import ArtifactOffered
from causeway.proto.streams import ARTIFACTS, outbox


@dataclass(kw_only=True)
class ArtifactServing:
    """The giving side. `folder` is a cache: it may be removed at any time."""

    bus: Bus
    folder: Path
    _filling: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def piece(self, caller: Caller, asked: FetchArtifact) -> ArtifactBytes:
        """Bytes of an object that is on offer.

        Raises:
            ProblemReply: nothing of that name is on offer, or its object is not in the store.
        """
        path = await self._file_of(asked.object_name)
        data, total = await asyncio.to_thread(_read, path, asked.offset, asked.bytes_max)
        return ArtifactBytes(offset=asked.offset, total=total, data=data)

    def endpoints(self) -> list[Endpoint]:
        """For `Bus.serve`."""
        return [
            Endpoint(
                name="artifact",
                subject=subjects.SYNC_ARTIFACT.at("*"),
                handler=self.piece,
                request_type=FetchArtifact,
            ),
            Endpoint(
                name="offers", subject=subjects.SYNC_OFFERS.at("*"), handler=self.offers, request_type=OffersAsked
            ),
        ]

    async def offers(self, caller: Caller, asked: OffersAsked) -> AsyncIterator[Message]:
        """Everything that is on offer, and what was withdrawn."""
        async for offer in self._all_offers():
            yield offer

    async def _all_offers(self) -> AsyncIterator[ArtifactOffered]:
        place = self.bus.settings.site
        async for delivery in self.bus.scan(outbox(place).name, [subjects.ARTIFACT.at(place)]):
            if isinstance(delivery.message, ArtifactOffered):
                yield delivery.message

    async def _file_of(self, object_name: str) -> Path:
        offer = await self._offer(object_name)
        path = self.folder / offer.sha256
        async with self._filling.setdefault(offer.sha256, asyncio.Lock()):
            if not path.exists():
                await self._fill(offer, path)
        return path

    async def _offer(self, object_name: str) -> ArtifactOffered:
        async for offer in self._all_offers():
            if offer.object_name == object_name:
                return offer
        raise ProblemReply(Problem(code="not_found", message=f"no artifact {object_name!r} is on offer"))

    async def _fill(self, offer: ArtifactOffered, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ref = ObjectRef(bucket=ARTIFACTS.name, name=offer.object_name, size_bytes=offer.size_bytes, sha256=offer.sha256)
        fresh = path.with_suffix(".new")
        try:
            await self.bus.get_object(ref, fresh, bytes_max=ARTIFACTS.bytes_max)
        except ObjectError as error:
            raise ProblemReply(
                Problem(
                    code="not_found",
                    message=f"the object of {offer.object_name!r} can not be read: {error}",
                    mend="Publish the artifact again: causeway artifact publish.",
                )
            ) from error
        fresh.replace(path)


def _read(path: Path, offset: int, bytes_max: int) -> tuple[bytes, int]:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(bytes_max), path.stat().st_size
