"""The composition root: a bus, a pool of parser processes, and the handler between them."""

import asyncio
import shutil
import time

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.ingestor.archive import ReplicaArchive
from causeway.ingestor.bodies import StoredBodies, spool_folder
from causeway.ingestor.chunking import Measure
from causeway.ingestor.handlers import SERVICE, Ingestion, Rules
from causeway.ingestor.metrics import Metrics
from causeway.ingestor.parsing.block import Limits
from causeway.ingestor.renaming import Renaming
from causeway.ingestor.revision import Naming
from causeway.ingestor.settings import Settings
from causeway.ingestor.space import model_id
from causeway.ingestor.worker import Bounds, Pool
from causeway.proto import subjects
from causeway.proto.identity import BadChunkKeyError, checked_key
from causeway.runtime import StartRefused
from causeway.runtime.exposition import Exposition
from causeway.runtime.process import Body
from causeway.runtime.tracing import tracer_provider

# What a killed ingestor held is handled by another after this long. While one works, the bus renews it.
ACK_WAIT_S = 20.0
BACKOFF_S = (0.5, 2.0, 8.0, 30.0)
# One document more than there are workers, so that one is fetched or published while the others are parsed.
LANES_MORE = 1


def build(settings: Settings) -> Body:
    """The service: starts, ingests until stopped, drains."""

    async def body(stop: asyncio.Event) -> None:
        registry = CollectorRegistry()
        naming = Naming(key=_chunk_key(settings), model=await asyncio.to_thread(model_id, settings))
        bus = Bus(BusSettings.of(settings, SERVICE, registry, tracer_provider(SERVICE, settings.site)))
        metrics = Metrics(registry)
        async with Pool(bounds(settings)) as pool:
            metrics.workers_replaced.set_function(lambda: pool.replaced)
            ingestion = Ingestion(
                site=settings.site,
                log=bus,
                bodies=StoredBodies(
                    bus, spool_folder(settings.spool_dir, settings.body_bytes_max), settings.body_bytes_max
                ),
                extractor=pool,
                archive=ReplicaArchive(bus, settings.site),
                naming=naming,
                rules=rules(settings),
                metrics=metrics,
                unix_ms=lambda: time.time_ns() // 1_000_000,
            )
            _consume(bus, ingestion, settings)
            with Exposition(registry, lambda: "" if bus.connected else "not connected to NATS", settings.metrics_port):
                async with bus, asyncio.TaskGroup() as group:
                    group.create_task(Renaming(settings.site, bus, naming, metrics.elsewhere).until(stop))
                    await stop.wait()

    return body


def _consume(bus: Bus, ingestion: Ingestion, settings: Settings) -> None:
    """Several lanes of one message each: a document that takes a minute holds up nobody but itself."""
    for _ in range(settings.workers + LANES_MORE):
        bus.consume(
            subjects.DOCUMENT.stream,
            subjects.DOCUMENT.at(settings.site),
            ingestion.handle,
            message_types=subjects.DOCUMENT.carries,
            batch_max=1,
            ack_wait_s=ACK_WAIT_S,
            attempts_max=settings.attempts_max,
            backoff_s=BACKOFF_S,
        )


def rules(settings: Settings) -> Rules:
    """What one document may cost."""
    return Rules(
        limits=Limits(
            body_bytes_max=settings.body_bytes_max,
            pages_max=settings.pages_max,
            text_chars_max=settings.text_chars_max,
            unpacked_bytes_max=settings.unpacked_bytes_max,
            tesseract=_tesseract(settings.tesseract),
            ocr_languages=settings.ocr_languages,
            ocr_time_s_max=settings.ocr_time_s_max,
        ),
        measure=Measure(),
        cpu_s_max=settings.parse_cpu_s,
        chunks_max=settings.chunks_max,
    )


def bounds(settings: Settings) -> Bounds:
    """What the workers may take."""
    return Bounds(
        workers=settings.workers, timeout_s=settings.parse_timeout_s, memory_bytes_max=settings.memory_bytes_max
    )


def _tesseract(setting: str) -> str:
    if setting == "off":
        return ""
    return (shutil.which("tesseract") or "") if setting == "auto" else setting


def _chunk_key(settings: Settings) -> bytes:
    path = settings.chunk_key_file
    try:
        text = path.read_text().strip()
        return checked_key(bytes.fromhex(text))
    except (OSError, ValueError) as error:
        what = str(error) if isinstance(error, BadChunkKeyError) else f"{error}"
        raise StartRefused(
            f"the chunk key in {path} can not be used ({what}): INGESTOR_CHUNK_KEY_FILE names a file with 32 to 128 "
            "hex digits, which `causeway up site` makes once for a site"
        ) from error
