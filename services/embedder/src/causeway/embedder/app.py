"""The composition root: a bus, an encoder on one thread of its own, and the handler between them."""

import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.embedder.batching import Limits
from causeway.embedder.encoding import Encoding
from causeway.embedder.handlers import Embedding
from causeway.embedder.metrics import Metrics
from causeway.embedder.reembedding import Reembedding, durable_of
from causeway.embedder.settings import Settings
from causeway.models import Encoder, ModelError
from causeway.models.chosen import embedding_folder
from causeway.proto import subjects
from causeway.runtime import StartRefused
from causeway.runtime.exposition import Exposition
from causeway.runtime.process import Body
from causeway.runtime.tracing import tracer_provider

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
ACK_WAIT_S = 20


def build(settings: Settings) -> Body:
    """The service: starts, embeds until stopped, drains."""

    async def body(stop: asyncio.Event) -> None:
        registry = CollectorRegistry()
        encoder = await asyncio.to_thread(_load, settings)
        name = durable_of(encoder.model_id) if settings.reembed else "embedder"
        bus = Bus(BusSettings.of(settings, name, registry, tracer_provider("embedder", settings.site)))
        with ThreadPoolExecutor(1, "encode") as executor:
            encoding = Encoding(encoder=encoder, limits=_limits(settings), executor=executor, metrics=Metrics(registry))
            (_reembed if settings.reembed else _embed)(bus, encoding, settings)
            with Exposition(registry, lambda: "" if bus.connected else "not connected to NATS", settings.metrics_port):
                async with bus:
                    await stop.wait()

    return body


def _embed(bus: Bus, encoding: Encoding, settings: Settings) -> None:
    """CHUNKS to KNOWLEDGE."""
    embedding = Embedding(site=settings.site, log=bus, encoding=encoding, unix_ms=lambda: time.time_ns() // 1_000_000)
    bus.consume(
        subjects.CHUNK.stream,
        subjects.CHUNK.at(settings.site),
        embedding.handle,
        message_types=subjects.CHUNK.carries,
        batch_max=settings.batch_messages_max,
        ack_wait_s=ACK_WAIT_S,
        attempts_max=settings.attempts_max,
        backoff_s=BACKOFF_S,
    )


def _reembed(bus: Bus, encoding: Encoding, settings: Settings) -> None:
    """KNOWLEDGE, of this place and of those that it hears from, to VECTORS."""
    bus.consume(
        subjects.KNOWLEDGE_CHUNK.stream,
        subjects.KNOWLEDGE_CHUNK.at("*"),
        Reembedding(log=bus, encoding=encoding, run=secrets.token_hex(8)).handle,
        message_types=subjects.KNOWLEDGE_CHUNK.carries,
        batch_max=settings.batch_messages_max,
        ack_wait_s=ACK_WAIT_S,
        attempts_max=settings.attempts_max,
        backoff_s=BACKOFF_S,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        tokens_min=settings.batch_tokens_min,
        tokens_max=settings.batch_tokens_max,
        latency_ms_max=settings.batch_latency_ms_max,
    )


def _load(settings: Settings) -> Encoder:
    try:
        folder = embedding_folder(settings.model)
        return Encoder.load(folder, precision=settings.precision, threads=settings.threads, device=settings.device)
    except ModelError as error:
        raise StartRefused(str(error)) from error
