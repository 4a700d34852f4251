"""A second embedding space for tests, and a re-embedder that fills it over a real server."""

import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np
from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.edge_inference.ports import Vectors
from causeway.embedder.batching import Limits
from causeway.embedder.encoding import Encoding
from causeway.embedder.metrics import Metrics
from causeway.embedder.reembedding import Reembedding, durable_of
from causeway.language import terms
from causeway.proto import subjects
from tests.support.hashed_encoder import HashedEncoder
from tests.support.knowledge_builders import unit_vector
from tests.support.nats_server import NatsServer


class NextEncoder(HashedEncoder):
    """Of other dimensions than `HashedEncoder`, and nothing of the two can be compared."""

    model_id = "hashed-next"
    dims = 48

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [max(1, len(text) // 4) for text in texts]

    def _vector(self, text: str) -> Vectors:
        start = np.full(self.dims, 1e-3, np.float32)
        total = sum((unit_vector(f"next {term}", self.dims) for term in terms(text)), start)
        unit: Vectors = (total / np.linalg.norm(total)).astype(np.float32)
        return unit


@asynccontextmanager
async def reembedder(server: NatsServer, site: str) -> AsyncIterator[NextEncoder]:
    """A running re-embedder into the space of `NextEncoder`."""
    encoder = NextEncoder()
    bus = Bus(BusSettings(site=site, service=durable_of(encoder.model_id), url=server.url))
    limits = Limits(tokens_min=64, tokens_max=512, latency_ms_max=1_000)
    with ThreadPoolExecutor(1) as executor:
        encoding = Encoding(encoder=encoder, limits=limits, executor=executor, metrics=Metrics(CollectorRegistry()))
        bus.consume(
            subjects.KNOWLEDGE_CHUNK.stream,
            subjects.KNOWLEDGE_CHUNK.at("*"),
            Reembedding(log=bus, encoding=encoding, run=secrets.token_hex(8)).handle,
            message_types=subjects.KNOWLEDGE_CHUNK.carries,
            batch_max=16,
        )
        async with bus:
            yield encoder
