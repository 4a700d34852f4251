"""Bodies that do not fit in a message, in the JetStream object store (NATS ADR-20, readable by any client).

Delivery guarantee: an object exists once its meta message is stored, after all its chunks. A put that is cut off leaves
chunks that nobody names; they age out with the bucket. Reading checks size and SHA-256 before it says that it is done.
"""

import asyncio
import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import nats.js.errors

from causeway.bus.broker import EdgeBroker
from causeway.bus.errors import ObjectDamaged, ObjectMissing, ObjectTooLarge
from causeway.bus.publishing import Publishing
from causeway.bus.scanning import scan
from causeway.proto import headers
from causeway.proto.documents import ObjectRef

CHUNK_BYTES = 128 * 1024
CHUNK_TIMEOUT_S = 30.0
READ_BATCH = 32


def _meta_subject(bucket: str, name: str) -> str:
    return f"$O.{bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"


class Objects:
    """Puts, gets and deletes; all of them survive a restart of the server in between."""

    def __init__(self, broker: EdgeBroker, publishing: Publishing) -> None:
        self._broker = broker
        self._publishing = publishing

    async def put(
        self, bucket: str, name: str, content: Path | bytes, *, bytes_max: int, progress: Callable[[int], None] | None
    ) -> ObjectRef:
        """Store under `name`, replacing what was there. `progress` gets the bytes stored so far.

        Raises:
            ObjectTooLarge, NotPublished (StreamFull, StreamMissing).
        """
        size = len(content) if isinstance(content, bytes) else await asyncio.to_thread(lambda: content.stat().st_size)
        if size > bytes_max:
            raise ObjectTooLarge(f"{name}: {size} bytes, allowed are {bytes_max}")
        before = await self._meta(bucket, name)
        nuid = self._broker.client._nuid.next().decode()
        source = io.BytesIO(content) if isinstance(content, bytes) else await asyncio.to_thread(content.open, "rb")
        with source:
            stored, digest, chunks = await self._put_chunks(bucket, nuid, source, bytes_max, progress)
        await self._put_meta(bucket, name, nuid, stored, digest, chunks)
        if before is not None and not before.get("deleted"):
            await self._purge(bucket, str(before["nuid"]))
        return ObjectRef(bucket=bucket, name=name, size_bytes=stored, sha256=digest.hex())

    async def _put_chunks(
        self, bucket: str, nuid: str, source: BinaryIO, bytes_max: int, progress: Callable[[int], None] | None
    ) -> tuple[int, bytes, int]:
        digest, total, index = hashlib.sha256(), 0, 0
        # The order of the chunks in the stream is the object, so a chunk waits for the one before it.
        while chunk := await asyncio.to_thread(source.read, CHUNK_BYTES):
            total += len(chunk)
            if total > bytes_max:
                raise ObjectTooLarge(f"it grew beyond {bytes_max} bytes while it was read")
            digest.update(chunk)
            await self._store(bucket, f"$O.{bucket}.C.{nuid}", chunk, {headers.MSG_ID: f"{nuid}.{index}"})
            index += 1
            if progress is not None:
                progress(total)
        return total, digest.digest(), index

    async def _put_meta(self, bucket: str, name: str, nuid: str, size: int, digest: bytes, chunks: int) -> None:
        text = "SHA-256=" + base64.urlsafe_b64encode(digest).decode()
        meta = _meta_message(name, bucket, nuid, size, text, chunks, deleted=False)
        await self._store_meta(bucket, name, meta, f"{nuid}.meta")

    async def _store_meta(self, bucket: str, name: str, meta: dict[str, Any], msg_id: str) -> None:
        head = {headers.MSG_ID: msg_id, "Nats-Rollup": "sub"}
        await self._store(bucket, _meta_subject(bucket, name), json.dumps(meta).encode(), head)

    async def _store(self, bucket: str, subject: str, body: bytes, head: dict[str, str]) -> None:
        await self._publishing.publish_raw(subject, body, head, stream=f"OBJ_{bucket}", timeout_s=CHUNK_TIMEOUT_S)

    async def _meta(self, bucket: str, name: str) -> dict[str, Any] | None:
        try:
            raw = await self._broker.js.get_msg(f"OBJ_{bucket}", subject=_meta_subject(bucket, name))
        except nats.js.errors.NotFoundError:
            return None
        meta: dict[str, Any] = json.loads(raw.data or b"{}")
        return meta

    async def get(self, ref: ObjectRef, to_path: Path, *, bytes_max: int) -> None:
        """Write the object to `to_path`, which is complete and checked when this returns, or is not there.

        Raises:
            ObjectMissing, ObjectTooLarge, ObjectDamaged, NotConnected.
        """
        meta = await self._meta(ref.bucket, ref.name)
        if meta is None or meta.get("deleted"):
            raise ObjectMissing(f"{ref.name} in {ref.bucket}")
        if int(meta["size"]) > bytes_max:
            raise ObjectTooLarge(f"{ref.name}: {meta['size']} bytes, allowed are {bytes_max}")
        part = to_path.with_name(to_path.name + ".part")
        try:
            await self._write(ref, meta, part, bytes_max)
            await asyncio.to_thread(part.replace, to_path)
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)

    async def _write(self, ref: ObjectRef, meta: dict[str, Any], part: Path, bytes_max: int) -> None:
        digest, total = hashlib.sha256(), 0
        with await asyncio.to_thread(part.open, "wb") as sink:
            async for chunk in self._chunks(ref.bucket, str(meta["nuid"]), int(meta["chunks"])):
                total += len(chunk)
                if total > bytes_max:
                    raise ObjectTooLarge(f"{ref.name} is larger than it says")
                digest.update(chunk)
                await asyncio.to_thread(sink.write, chunk)
        if total != ref.size_bytes or digest.hexdigest() != ref.sha256:
            raise ObjectDamaged(f"{ref.name}: {total} of {ref.size_bytes} bytes")

    async def _chunks(self, bucket: str, nuid: str, count: int) -> AsyncIterator[bytes]:
        seen = 0
        async with aclosing(
            scan(self._broker.js, f"OBJ_{bucket}", [f"$O.{bucket}.C.{nuid}"], batch=READ_BATCH)
        ) as messages:
            async for message in messages:
                seen += 1
                yield message.data
        if seen != count:
            raise ObjectDamaged(f"{nuid}: {seen} of {count} parts are there")

    async def delete(self, ref: ObjectRef) -> None:
        """Remove the object; removing what is gone is no error."""
        meta = await self._meta(ref.bucket, ref.name)
        if meta is None or meta.get("deleted"):
            return
        nuid = str(meta["nuid"])
        await self._store_meta(
            ref.bucket, ref.name, _meta_message(ref.name, ref.bucket, nuid, 0, "", 0, deleted=True), f"{nuid}.deleted"
        )
        await self._purge(ref.bucket, nuid)

    async def _purge(self, bucket: str, nuid: str) -> None:
        await self._broker.js.purge_stream(f"OBJ_{bucket}", subject=f"$O.{bucket}.C.{nuid}")


def _meta_message(
    name: str, bucket: str, nuid: str, size: int, digest: str, chunks: int, *, deleted: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "options": {"max_chunk_size": CHUNK_BYTES},
        "bucket": bucket,
        "nuid": nuid,
        "size": size,
        "mtime": datetime.now(UTC).isoformat(),
        "chunks": chunks,
        "digest": digest,
        "deleted": deleted,
    }
