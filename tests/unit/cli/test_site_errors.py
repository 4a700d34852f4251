"""Errors of the libraries in the words of the command."""

import pytest

from causeway.bus import BusError, NoResponders, NotConnected, ProblemReply, StreamFull, StreamMissing, WrongStorageKey
from causeway.cli.errors import NoSiteError, SiteFolderError, UserError
from causeway.cli.kbs import check_kb_name, unknown_kb
from causeway.cli.site_errors import explain
from causeway.cli.socket_watch import is_loopback
from causeway.models import ModelError
from causeway.proto.answers import Problem


@pytest.mark.parametrize("error", [NoResponders("x"), NotConnected("x"), StreamMissing("x")])
def test_a_site_that_is_not_there_is_said_to_be_so(error: BusError) -> None:
    known = explain(error)
    assert isinstance(known, NoSiteError)
    assert "causeway" in known.mend


def test_a_problem_of_the_site_is_shown_with_its_mend() -> None:
    known = explain(ProblemReply(Problem(code="too_long", message="the question is too long", mend="shorten it")))
    assert known is not None
    assert (known.message, known.mend) == ("the question is too long", "shorten it")


def test_what_a_person_can_mend_is_found_within_a_group() -> None:
    group = ExceptionGroup("both", [StreamFull("DOCUMENTS"), ValueError("x")])
    assert explain(group) is not None
    assert explain(ExceptionGroup("none", [ValueError("x")])) is None


def test_a_bug_is_not_dressed_up_as_a_mistake_of_the_person() -> None:
    assert explain(ValueError("x")) is None


def test_other_errors_keep_their_words() -> None:
    assert isinstance(explain(WrongStorageKey("site a")), SiteFolderError)
    assert "not installed" in str(explain(ModelError("it is not installed")))


def test_an_unknown_kb_names_the_nearest_and_all() -> None:
    error = unknown_kb("manul", ["docs", "manuals"])
    assert error.mend == "There is: docs, manuals. Did you mean manuals?"
    assert unknown_kb("docs", []).mend == "causeway publish FOLDER --kb docs"


@pytest.mark.parametrize("name", ["", "*", "A", "a b", "a.b", ">"])
def test_a_name_that_could_reach_beyond_one_kb_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="can not be the name"):
        check_kb_name(name)


def test_loopback_is_told_from_everything_else() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "8.8.8.8", "::ffff:10.0.0.1")))
