"""Subjects as metric labels, health verdicts, and errors with their mends."""

import inspect

import pytest

from causeway.bus import BusSettings, errors
from causeway.bus.health import ConsumerHealth, judge
from causeway.bus.streams import bucket_config, stream_config
from causeway.bus.telemetry import label_of
from causeway.proto import streams, subjects
from causeway.proto.answers import Problem


@pytest.mark.parametrize("row", subjects.ALL, ids=lambda row: row.name)
def test_every_subject_of_the_registry_folds_to_its_name(row: subjects.Subject) -> None:
    assert label_of(row.at("site1", "kb", "0a1b")) == row.name


@pytest.mark.parametrize(
    ("subject", "label"),
    [("_INBOX.abc.def", "reply"), ("site.a.unknown.b", "unregistered"), ("$O.BODIES.C.x", "unregistered")],
)
def test_any_other_subject_folds_to_one_of_two(subject: str, label: str) -> None:
    assert label_of(subject) == label


@pytest.mark.parametrize(
    ("connected", "closed", "stopping", "reason"),
    [
        (True, False, False, ""),
        (False, False, False, "not connected"),
        (False, True, False, "restart"),
        (True, False, True, "stopping"),
    ],
)
def test_health_names_the_first_thing_that_is_wrong(connected: bool, closed: bool, stopping: bool, reason: str) -> None:
    health = judge(connected=connected, closed=closed, stopping=stopping, consumers=())
    assert reason in health.reason
    assert health.ok is (reason == "")


def test_a_sick_consumer_makes_the_service_unhealthy() -> None:
    sick = ConsumerHealth(stream="CHUNKS", pending=3, reason="no consumer")
    assert judge(connected=True, closed=False, stopping=False, consumers=(sick,)).reason == "CHUNKS: no consumer"


def test_every_error_says_what_to_do_and_is_drawn_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.BusError):
            assert name in tree
            assert len(kind.__doc__ or "") > 20
            if kind is not errors.ProblemReply:
                assert str(kind("detail")).startswith("detail: ")


def test_a_problem_shows_its_code_and_its_mend() -> None:
    error = errors.ProblemReply(Problem(code="busy", message="too many", mend="ask again"))
    assert str(error) == "too many [busy]: ask again"


def test_settings_do_not_show_their_password(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("secret") / "password"
    file.write_text("from-file\n", encoding="utf-8")
    assert "hunter2" not in repr(BusSettings(site="s", service="x", password="hunter2"))
    assert BusSettings(site="s", service="x", password="hunter2", password_file=file).secret() == "from-file"
    assert BusSettings(site="s", service="x").source == "causeway://s/x"


@pytest.mark.parametrize("stream", streams.ALL_SITE, ids=lambda stream: stream.name)
def test_every_stream_is_bounded_and_readable_by_direct_gets(stream: streams.Stream) -> None:
    config = stream_config(stream)
    assert (config.max_bytes or 0) > 0
    assert config.allow_direct
    assert config.storage == "file"


def test_a_bucket_is_the_stream_that_every_client_expects() -> None:
    config = bucket_config(streams.BODIES)
    assert config.name == "OBJ_BODIES"
    assert config.subjects == ["$O.BODIES.C.>", "$O.BODIES.M.>"]
    assert config.allow_rollup_hdrs
