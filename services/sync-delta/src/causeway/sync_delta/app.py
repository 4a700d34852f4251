"""The composition root: two connections at a site, one at the hub, the state, and the service between them."""

import asyncio
import logging
import shlex
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings, Caller, Endpoint
from causeway.proto import subjects
from causeway.proto.identity import checked_key
from causeway.proto.link import LedgerAsked, Verified, VerifyAsked
from causeway.runtime import StartRefused
from causeway.runtime.exposition import Exposition
from causeway.runtime.process import Body
from causeway.runtime.tracing import tracer_provider
from causeway.sync_delta import tombstones, window
from causeway.sync_delta.artifact_metrics import ArtifactMetrics
from causeway.sync_delta.artifact_serving import ArtifactServing
from causeway.sync_delta.artifact_store import ArtifactStore
from causeway.sync_delta.artifacts import Artifacts, reported
from causeway.sync_delta.comparing import Comparing
from causeway.sync_delta.ledger_serving import LedgerServing
from causeway.sync_delta.metrics import Metrics
from causeway.sync_delta.schema import ForeignStateError
from causeway.sync_delta.sending import Batch
from causeway.sync_delta.service import SERVICE, Limits, Seams, SyncDelta
from causeway.sync_delta.settings import Settings
from causeway.sync_delta.shelf_damage import ShelfDamage
from causeway.sync_delta.shelving import Shelving
from causeway.sync_delta.state import State
from causeway.sync_delta.verifying import Verifying

VERIFY_TIMEOUT_S = 600.0
_log = logging.getLogger(__name__)


def build(settings: Settings) -> Body:
    """The service: starts, carries until stopped, drains."""

    async def body(stop: asyncio.Event) -> None:
        registry = CollectorRegistry()
        app = Bus(BusSettings.of(settings, SERVICE, registry, tracer_provider(SERVICE, settings.site)))
        link = app if settings.role == "hub" else Bus(_link_settings(settings, registry))
        state = _state(settings)
        sync = SyncDelta(
            settings.site, app, link, state, _chunk_key(settings.chunk_key_file), _limits(settings), Metrics(registry)
        )
        async with AsyncExitStack() as stack:
            stack.callback(state.close)
            stack.enter_context(Exposition(registry, lambda: _ready(sync), settings.metrics_port))
            for bus in dict.fromkeys((app, link)):
                await stack.enter_async_context(bus)
            await (_hub if settings.role == "hub" else _site)(settings, sync, stack, registry)
            stack.push_async_callback(sync.stop)
            stopped = asyncio.create_task(stop.wait())
            starting = asyncio.create_task(sync.start())
            # It may wait for streams that the operator has yet to declare.
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                starting.cancel()
                return
            await starting
            await stopped

    return body


async def _hub(settings: Settings, sync: SyncDelta, stack: AsyncExitStack, registry: CollectorRegistry) -> None:
    """Milvus, comparison and artifacts: what only the hub serves."""
    serving = ArtifactServing(bus=sync.app, folder=settings.state_dir / "artifacts")
    comparing = Comparing(bus=sync.app)
    if settings.milvus_uri:
        shelving = _shelving(settings, sync, stack, registry)
        comparing = Comparing(bus=sync.app, damage=ShelfDamage(shelving))
    sync.seams = Seams(endpoints=[*comparing.endpoints(), *serving.endpoints(), _ledger(sync)])


def _shelving(settings: Settings, sync: SyncDelta, stack: AsyncExitStack, registry: CollectorRegistry) -> Shelving:
    # It brings pandas: a second and a hundred megabytes that a site shall not pay for.
    from causeway.milvus.shelf import MilvusShelf

    token = settings.milvus_token_file.read_text(encoding="utf-8").strip() if settings.milvus_token_file else ""
    shelf = MilvusShelf(uri=settings.milvus_uri, token=token, timeout_s=settings.milvus_timeout_s)
    shelving = Shelving(sync.app, shelf, registry=registry, batch_messages_max=settings.milvus_batch_messages)
    stack.push_async_callback(shelf.close)
    stack.push_async_callback(shelving.stop)
    return shelving


async def _site(settings: Settings, sync: SyncDelta, stack: AsyncExitStack, registry: CollectorRegistry) -> None:
    """Comparison with the hub, and artifacts from it."""
    verifying = Verifying(
        site=settings.site,
        chunk_key=_chunk_key(settings.chunk_key_file),
        knowledge=sync.app,
        peer=sync.link,
        state=sync.state,
        outgoing=sync.outgoing,
        quiet=sync.quiet,
    )

    async def verify(_: Caller, asked: VerifyAsked) -> Verified:
        return await verifying.verify(asked)

    verified = Endpoint(
        name="verify",
        subject=subjects.LINK_VERIFY.at(settings.site),
        handler=verify,
        request_type=VerifyAsked,
        concurrency_max=1,
        timeout_s=VERIFY_TIMEOUT_S,
    )
    sync.seams = Seams(
        endpoints=[verified, _ledger(sync)], verified=lambda: (verifying.last_unix_ms, verifying.last_equal)
    )
    if settings.artifacts_dir is not None:
        artifacts = Artifacts(
            link=sync.link,
            site=settings.site,
            store=ArtifactStore(settings.artifacts_dir),
            metrics=ArtifactMetrics(registry),
            command=shlex.split(settings.artifact_command),
            bytes_per_s_max=settings.artifact_bytes_per_s_max,
        )
        sync.seams = replace(sync.seams, artifacts=reported(artifacts))
        artifacts.start()
        stack.push_async_callback(artifacts.stop)
    if settings.verify_every_s > 0:
        task = asyncio.create_task(_verify_now_and_then(verifying, settings.verify_every_s), name="verify")
        stack.push_async_callback(_cancelled, task)


def _ledger(sync: SyncDelta) -> Endpoint:
    return Endpoint(
        name="ledger",
        subject=subjects.LINK_LEDGER.at(sync.place),
        handler=LedgerServing(state=sync.state).lines,
        request_type=LedgerAsked,
    )


async def _verify_now_and_then(verifying: Verifying, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        began = time.monotonic()
        try:
            found = await verifying.verify(VerifyAsked())
        except Exception as error:  # noqa: BLE001  # The outermost loop of comparison: the link may be away.
            _log.info("no comparison with the hub", extra={"reason": str(error)})
            continue
        about = {"documents": found.documents, "equal": found.equal, "seconds": round(time.monotonic() - began, 1)}
        (_log.info if found.equal else _log.error)("compared with the hub", extra=about)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _ready(sync: SyncDelta) -> str:
    return sync.ready()


def _link_settings(settings: Settings, registry: CollectorRegistry) -> BusSettings:
    return BusSettings(
        url=settings.nats_url,
        site=settings.site,
        service=f"{SERVICE}-link",
        user=settings.link_user or None,
        password_file=settings.link_password_file,
        drain_timeout_s=settings.drain_timeout_s,
        prometheus_registry=registry,
    )


def _state(settings: Settings) -> State:
    try:
        return State(settings.state_dir, settings.site)
    except ForeignStateError as error:
        raise StartRefused(str(error)) from error


def _chunk_key(path: Path) -> bytes:
    try:
        return checked_key(bytes.fromhex(path.read_text(encoding="utf-8").strip()))
    except (OSError, ValueError) as error:
        raise StartRefused(
            f"the chunk key in {path} can not be used ({error}): SYNC_DELTA_CHUNK_KEY_FILE names the same file as "
            "INGESTOR_CHUNK_KEY_FILE of this place"
        ) from error


def _limits(settings: Settings) -> Limits:
    return Limits(
        policy=window.Policy(
            interactive_bytes_max=settings.interactive_bytes_max,
            interactive_chunks_max=settings.interactive_chunks_max,
            bulk_wait_s=settings.bulk_wait_s,
            window_s=settings.window_s,
            floor_bytes=settings.window_bytes_min,
            ceiling_bytes=settings.window_bytes_max,
        ),
        batch=Batch(documents_max=settings.batch_documents_max, bytes_max=settings.batch_bytes_max),
        expiry=tombstones.Limits(age_min_s=settings.tombstone_age_min_s, age_max_s=settings.tombstone_age_max_s),
        batch_messages_max=settings.batch_messages_max,
        report_every_s=settings.report_every_s,
        upkeep_every_s=settings.upkeep_every_s,
    )
