"""One ask's waiting: it ends at its moment, at once when it is taken back, and both at the same time are no error."""

import asyncio

import pytest

from causeway.cloud_inference.problems import Cancelled
from causeway.cloud_inference.running import OutOfTime, Running


def running(within_s: float = 30.0) -> Running:
    now_s = asyncio.get_running_loop().time()
    return Running(site="a", ask_id="1", began_s=now_s, deadline_s=now_s + within_s, first_token_s=now_s + within_s)


async def never() -> None:
    await asyncio.Event().wait()


async def test_what_does_not_come_in_time_is_out_of_time() -> None:
    one = running(0.01)
    with pytest.raises(OutOfTime):
        await one.within(one.deadline_s, never)


async def test_an_ask_that_is_taken_back_waits_for_nothing_more() -> None:
    one = running()
    waiting = asyncio.create_task(one.within(one.deadline_s, never))
    await asyncio.sleep(0)
    one.cancel()
    with pytest.raises(Cancelled):
        await waiting
    with pytest.raises(Cancelled):
        await one.within(one.deadline_s, never)


async def test_an_ask_that_is_taken_back_while_its_time_runs_out_is_taken_back() -> None:
    one = running(0.01)

    async def taken_back_at_the_end() -> None:
        try:
            await never()
        finally:
            one.cancel()

    with pytest.raises(Cancelled):
        await one.within(one.deadline_s, taken_back_at_the_end)


async def test_a_time_out_of_what_was_waited_for_is_its_own_error_and_not_the_asks() -> None:
    async def times_out() -> None:
        raise TimeoutError("of Milvus")

    one = running()
    with pytest.raises(TimeoutError, match="of Milvus") as found:
        await one.within(one.deadline_s, times_out)
    assert not isinstance(found.value, OutOfTime)
