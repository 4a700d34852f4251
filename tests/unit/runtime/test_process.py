"""A service process starts, refuses and stops the same way whatever it does."""

import asyncio
import json
import logging
import os
import signal

import pytest
from opentelemetry.sdk.trace import TracerProvider

from causeway.bus import AccessRefused
from causeway.runtime import BadSettingError, ServiceSettings, StartRefused, run
from causeway.runtime.logs import JsonFormatter
from causeway.runtime.process import EXIT_REFUSED, Body
from causeway.runtime.tracing import tracer_provider

SETTINGS = ServiceSettings(site="plant")


def test_sigterm_sets_the_stop_event_and_the_body_drains() -> None:
    drained: list[str] = []

    def build(settings: ServiceSettings) -> Body:
        async def body(stop: asyncio.Event) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(5):
                await stop.wait()
            drained.append(settings.site)

        return body

    assert run("ingestor", lambda: SETTINGS, build) == 0
    assert drained == ["plant"]


def test_a_bad_setting_is_one_line_on_stderr_and_its_own_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def settings() -> ServiceSettings:
        raise BadSettingError("unknown setting INGESTOR_PAGE_MAX")

    assert run("ingestor", settings, lambda _: _unreached) == EXIT_REFUSED
    assert capsys.readouterr().err == "ingestor: unknown setting INGESTOR_PAGE_MAX\n"


def test_a_refusal_at_the_start_says_the_mend(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(_: asyncio.Event) -> None:
        raise StartRefused("the key is not this vault's: give the one that it was made with")

    assert run("edge-inference", lambda: SETTINGS, lambda _: body) == EXIT_REFUSED
    assert "give the one that it was made with" in capsys.readouterr().err


@pytest.mark.parametrize("grouped", [False, True])
def test_refused_credentials_are_one_line_and_no_traceback(grouped: bool, capsys: pytest.CaptureFixture[str]) -> None:
    async def body(_: asyncio.Event) -> None:
        error = AccessRefused("nats://127.0.0.1:4222")
        raise ExceptionGroup("parts", [ExceptionGroup("inner", [error])]) if grouped else error

    assert run("embedder", lambda: SETTINGS, lambda _: body) == EXIT_REFUSED
    assert capsys.readouterr().err.startswith("embedder: nats://127.0.0.1:4222: nats-server refused these credentials")


def test_another_error_is_not_taken_for_a_refusal() -> None:
    async def body(_: asyncio.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run("embedder", lambda: SETTINGS, lambda _: body)


async def _unreached(_: asyncio.Event) -> None:
    raise AssertionError("a service with bad settings must not run")


def test_a_log_line_is_one_json_object_with_the_extra_fields() -> None:
    record = logging.makeLogRecord({"name": "bus", "levelname": "INFO", "msg": "will try again", "stream": "CHUNKS"})
    line = json.loads(JsonFormatter("embedder").format(record))
    assert (line["service"], line["message"], line["stream"]) == ("embedder", "will try again", "CHUNKS")


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert tracer_provider("embedder", "plant", {}) is None


def test_with_an_endpoint_spans_carry_the_service_and_the_site() -> None:
    provider = tracer_provider("embedder", "plant", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert isinstance(provider, TracerProvider)
    assert provider.resource.attributes["service.name"] == "embedder"
    assert provider.resource.attributes["causeway.site"] == "plant"
