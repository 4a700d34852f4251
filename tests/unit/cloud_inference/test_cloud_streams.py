"""The engine's stream and its metrics: read however they are cut, refused where they are not what they should be."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud_inference.completions import Generation, Usage, body, piece
from causeway.cloud_inference.engine_load import EngineLoad, load_in
from causeway.cloud_inference.errors import EngineBusy, EngineGarbage, EngineGone
from causeway.cloud_inference.sse import SseReader

STREAM = (
    ': keep-alive\n\ndata: {"a": "年假"}\r\n\r\nevent: x\nid: 1\ndata: one\ndata: two\n\n\ndata:[DONE]\n\n'.encode()
)
EVENTS = ['{"a": "年假"}', "one\ntwo", "[DONE]"]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    reader = SseReader()
    found = [data for start, end in itertools.pairwise(places) for data in reader.feed(STREAM[start:end])]
    assert found == EVENTS
    assert not reader.pending


@pytest.mark.parametrize("garbage", [b"<html>\n", b'{"error": 1}\n', b"data\xff: x\n", b"data: \xff\xfe\n\n"])
def test_a_line_that_no_event_stream_has_is_refused(garbage: bytes) -> None:
    with pytest.raises(EngineGarbage):
        SseReader().feed(garbage)


def test_a_line_or_an_event_without_end_is_refused_and_not_kept() -> None:
    with pytest.raises(EngineGarbage, match="line of over 100"):
        SseReader(line_bytes_max=100).feed(b"data: " + b"x" * 200)
    with pytest.raises(EngineGarbage, match="event of over 100"):
        SseReader(event_bytes_max=100).feed((b"data: " + b"x" * 20 + b"\n") * 10)


def test_a_stream_that_ends_within_an_event_is_pending() -> None:
    reader = SseReader()
    assert reader.feed(b"data: {") == []
    assert reader.pending


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_garbage(some: bytes) -> None:
    reader = SseReader()
    try:
        for data in reader.feed(some):
            piece(data)
    except (EngineGarbage, EngineGone, EngineBusy):
        pass


def event(**fields: object) -> str:
    return json.dumps({"id": "x", "object": "chat.completion.chunk", **fields})


def test_a_piece_has_the_text_the_end_and_the_usage() -> None:
    assert piece(event(choices=[{"index": 0, "delta": {"content": "ten"}, "finish_reason": None}])).text == "ten"
    assert piece(event(choices=[{"index": 0, "delta": {"role": "assistant", "content": None}}])).text == ""
    assert piece(event(choices=[{"index": 0, "delta": {}, "finish_reason": "length"}])).finish_reason == "length"
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    expected = Usage(prompt_tokens=9, completion_tokens=3, cached_tokens=4)
    assert piece(event(choices=[], usage=usage)).usage == expected
    assert piece(event(choices=[], usage=usage | {"prompt_tokens_details": None})).usage == Usage(
        prompt_tokens=9, completion_tokens=3
    )


@pytest.mark.parametrize("data", ["", "null", "[]", "{}", '{"choices": 1}', '{"choices": [{"delta": "x"}]}', "x"])
def test_what_is_not_a_completion_is_garbage(data: str) -> None:
    with pytest.raises(EngineGarbage):
        piece(data)


def test_an_error_within_the_stream_is_an_error() -> None:
    with pytest.raises(EngineGone, match="engine died"):
        piece(json.dumps({"error": {"message": "engine died", "code": 500}}))
    with pytest.raises(EngineBusy):
        piece(json.dumps({"error": {"message": "later", "code": 503}}))
    (told,) = SseReader().feed(b'error: {"code":500,"message":"slot"}\n\ndata: x\n')
    with pytest.raises(EngineGone, match="slot"):
        piece(told)


def test_the_request_is_greedy_streamed_and_asks_for_the_usage() -> None:
    made = body(Generation(model="lora1", messages=[{"role": "user", "content": "x"}], tokens_max=7))
    assert (made["model"], made["max_tokens"], made["temperature"], made["stream"]) == ("lora1", 7, 0.0, True)
    assert made["stream_options"] == {"include_usage": True}


VLLM = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 4.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.5
"""


def test_the_load_is_read_in_the_names_of_each_engine() -> None:
    assert load_in(VLLM) == EngineLoad(running=5, waiting=4, kv_cache_used=0.5)
    assert load_in("llamacpp:requests_processing 1\nllamacpp:requests_deferred 2\n") == EngineLoad(running=1, waiting=2)
    assert load_in("other_metric 1\n") is None
    with pytest.raises(ValueError, match=r"."):
        load_in("<html>no metrics</html>\n")


@pytest.mark.parametrize("number", ["+Inf", "-Inf", "NaN", "1e300"])
def test_a_number_that_no_engine_has_is_not_told(number: str) -> None:
    assert load_in(f"vllm:num_requests_running {number}\n") is None
    page = f"vllm:num_requests_running {number}\nvllm:num_requests_waiting 3\nvllm:kv_cache_usage_perc {number}\n"
    assert load_in(page) == EngineLoad(waiting=3)
