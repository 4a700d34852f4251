"""Encodes texts in groups whose size follows the queue and the measured speed, on a thread of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causeway.embedder.batching import Limits, batches, smoothed, token_budget
from causeway.embedder.metrics import Metrics
from causeway.embedder.ports import PassageEncoder

Vectors = npt.NDArray[np.float16]


@dataclass(kw_only=True)
class Encoding:
    """An encoder and what was measured of it."""

    encoder: PassageEncoder
    limits: Limits
    executor: Executor
    metrics: Metrics
    tokens_per_s: float = 0.0

    async def groups(self, texts: list[str], pending: int) -> AsyncIterator[tuple[list[int], Vectors]]:
        """Indices into `texts` with the vectors [n, dims] of those, group by group; `pending` texts wait behind."""
        loop = asyncio.get_running_loop()
        tokens = await loop.run_in_executor(self.executor, self.encoder.count_tokens, texts)
        budget = token_budget(pending + len(texts), self.tokens_per_s, self.limits)
        self.metrics.batch_tokens_budget.set(budget)
        for group in batches(tokens, budget):
            started = time.perf_counter()
            vectors = await loop.run_in_executor(
                self.executor, self.encoder.encode_passages, [texts[index] for index in group]
            )
            seconds = time.perf_counter() - started
            count = sum(tokens[index] for index in group)
            self.tokens_per_s = smoothed(self.tokens_per_s, count, seconds)
            self.metrics.batch(count, len(group), seconds)
            yield group, vectors.astype(np.float16)
