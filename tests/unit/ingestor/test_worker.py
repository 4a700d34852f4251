"""The pool over real processes: what hangs, dies or swells costs one document, and the others go on."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from causeway.ingestor.chunking import Measure
from causeway.ingestor.extraction import Job
from causeway.ingestor.parsing.block import MIB, Code, Limits, ParseFailure
from causeway.ingestor.worker import Bounds, Pool, WorkerStartError
from tests.support import document_files as files
from tests.support.buses import until

ODD = [sys.executable, "-m", "tests.support.odd_parser"]


def job(name: str, cpu_s_max: int = 60) -> Job:
    return Job(filename=name, media_type="", title="", limits=Limits(), measure=Measure(), cpu_s_max=cpu_s_max)


def odd_pool(**bounds: float) -> Pool:
    return Pool(Bounds(**({"workers": 1, "timeout_s": 20.0} | bounds)), ODD)  # type: ignore[arg-type]


async def failure(pool: Pool, name: str, body: bytes = b"", cpu_s_max: int = 60) -> ParseFailure:
    with pytest.raises(ParseFailure) as caught:
        await pool.extract(job(name, cpu_s_max), body)
    return caught.value


async def test_a_document_that_hangs_fails_in_its_time_and_the_next_one_is_parsed() -> None:
    async with odd_pool(timeout_s=1.0) as pool:
        caught = await failure(pool, "hang")
        assert (caught.code, caught.reason[:24]) == (Code.TIMEOUT, "took longer than 1 s to ")
        pool.bounds = Bounds(workers=1, timeout_s=20.0)
        assert (await pool.extract(job("fine"), b"")).cuts


async def test_a_document_that_spins_is_stopped_by_its_processor_time() -> None:
    async with odd_pool() as pool:
        assert (await failure(pool, "spin", cpu_s_max=1)).code == Code.TIMEOUT


async def test_a_document_that_kills_its_parser_twice_fails_and_the_next_one_is_parsed() -> None:
    async with odd_pool() as pool:
        caught = await failure(pool, "die")
        assert (caught.code, "SIGSEGV" in caught.reason, pool.replaced) == (Code.CRASHED, True, 2)
        assert (await pool.extract(job("fine"), b"")).cuts


async def test_a_document_whose_parser_was_killed_is_tried_once_more(tmp_path: Path) -> None:
    async with odd_pool() as pool:
        extraction = await pool.extract(job("die-once"), str(tmp_path / "mark").encode())
        assert extraction.cuts[0].text.startswith("die-once")
        assert pool.replaced == 1


async def test_a_real_parser_killed_at_work_costs_only_time() -> None:
    body = files.pdf([[(11, f"Paragraph {page} of the manual. " * 40)] for page in range(150)])
    async with Pool(Bounds(workers=2, timeout_s=60.0)) as pool:
        await pool.extract(job("warm.txt"), b"words")
        running = asyncio.create_task(pool.extract(job("big.pdf"), body))
        await asyncio.sleep(0)
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        others = await asyncio.gather(*(pool.extract(job("a.txt"), b"other words") for _ in range(4)))
        assert (await running).pages == 150
        assert [other.cuts[0].text for other in others] == ["other words"] * 4


async def test_memory_is_bounded() -> None:
    body = b"a,b\n" + b"x,y\n" * 2_000_000
    async with Pool(Bounds(workers=1, timeout_s=60.0, memory_bytes_max=420 * MIB)) as pool:
        assert (await failure(pool, "a.csv", body)).code in (Code.MEMORY, Code.CRASHED)
        assert (await pool.extract(job("a.txt"), b"words")).cuts


async def test_a_parser_that_answers_nonsense_is_replaced() -> None:
    async with odd_pool() as pool:
        assert (await failure(pool, "babble")).code == Code.CRASHED
        assert (await failure(pool, "flood")).code == Code.TEXT
        assert (await pool.extract(job("fine"), b"")).cuts


async def test_a_parser_that_can_not_start_is_not_the_documents_fault() -> None:
    async with Pool(Bounds(workers=1), ["/bin/false"]) as pool:
        with pytest.raises(WorkerStartError, match="to see why"):
            await pool.extract(job("a.txt"), b"words")


async def test_a_worker_serves_many_documents_and_none_outlives_the_pool() -> None:
    async with odd_pool(jobs_per_worker_max=3) as pool:
        texts = [(await pool.extract(job("fine"), b"")).cuts[0].text for _ in range(4)]
        assert len(set(texts[:3])) == 1
        assert texts[3] != texts[2]
        pids = pool.pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_cancelled_document_frees_its_place() -> None:
    async with odd_pool() as pool:
        task = asyncio.create_task(pool.extract(job("hang"), b""))
        await until(lambda: bool(pool.pids))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await pool.extract(job("fine"), b"")).cuts
