"""The commands as a person runs them, against a site as shipped."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.site import CAUSEWAY, SiteUnderTest, environment, run_causeway, run_refused, wait_until

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

BOUND_S = 60.0


@pytest.fixture(scope="module")
def documents(site: SiteUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bilingual kb `manuals`."""
    folder = tmp_path_factory.mktemp("manuals")
    (folder / "en").mkdir()
    (folder / "en" / "pump.md").write_text(
        "# Pump P7\n\nThe pump P7 delivers 310 litres per minute.\n", encoding="utf-8"
    )
    (folder / "zh.txt").write_bytes("阀门手册\r\n\r\n阀门 V3 的最高工作压力为 16 巴。\r\n".encode("gb18030"))
    site.run("publish", str(folder), "--kb", "manuals", "--residency", "public")
    return folder


def test_a_chinese_question_is_answered_with_chinese_labels(site: SiteUnderTest, documents: Path) -> None:
    text = site.run("ask", "阀门 V3 的最高工作压力是多少？", "--kb", "manuals")
    assert "16 巴" in text
    assert "引用" in text


def test_an_answer_as_json_names_its_source_route_and_times(site: SiteUnderTest, documents: Path) -> None:
    answer = site.run_json("ask", "How much does the pump P7 deliver?", "--kb", "manuals")
    assert "310 litres" in answer["text"]
    assert answer["citations"][0]["document_id"] == "en/pump.md"
    assert answer["route"] == "edge"
    assert answer["latency_ms"]


def test_search_lists_each_document_once(site: SiteUnderTest, documents: Path) -> None:
    result = site.run_json("search", "pump", "--kb", "manuals")
    ids = [passage["document_id"] for passage in result["passages"]]
    assert ids[0] == "en/pump.md"
    assert len(ids) == len(set(ids))


def test_status_counts_documents_and_shows_streams_and_processes(site: SiteUnderTest, documents: Path) -> None:
    status = site.status("--kb", "manuals")
    assert status["knowledge_bases"] == {"manuals": {"searchable": 2}}
    assert {stream["name"] for stream in status["streams"]} >= {"DOCUMENTS", "KNOWLEDGE", "DEAD"}
    assert set(status["processes"]) >= {"ingestor", "embedder", "edge-inference"}


def test_a_document_that_can_not_be_read_is_named_with_its_reason_and_fails_the_command(
    site: SiteUnderTest, tmp_path: Path
) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 this is no pdf at all")
    (tmp_path / "fine.md").write_text("# Fine\n\nThis one is fine.\n", encoding="utf-8")
    summary = site.run_json("publish", str(tmp_path), "--kb", "broken", code=1)
    assert summary["done"] == 1
    assert list(summary["failed"]) == ["broken.pdf"]
    assert summary["failed"]["broken.pdf"]


def test_delete_missing_removes_what_has_no_file(site: SiteUnderTest, tmp_path: Path) -> None:
    for name in ("stays.md", "goes.md"):
        (tmp_path / name).write_text(f"# {name}\n\nThe word here is {name}.\n", encoding="utf-8")
    site.run("publish", str(tmp_path), "--kb", "tidied")
    (tmp_path / "goes.md").unlink()
    site.run("publish", str(tmp_path), "--kb", "tidied", "--delete-missing")
    found = site.run_json("search", "the word", "--kb", "tidied")["passages"]
    assert [passage["document_id"] for passage in found] == ["stays.md"]


@pytest.fixture
def watching(site: SiteUnderTest, tmp_path: Path) -> Iterator[Path]:
    """A folder that `publish --watch` follows."""
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "first.md").write_text("# First\n\nThe colour is green.\n", encoding="utf-8")
    log = tmp_path / "watch.out"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [CAUSEWAY, "publish", folder, "--kb", "watched", "--watch", "--data-dir", site.folder],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
    wait_until(lambda: "Watching" in log.read_text(), BOUND_S, "the watch to begin")
    yield folder
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND_S) in (0, 130)


def test_a_watched_folder_is_followed_through_edits_renames_and_deletes(site: SiteUnderTest, watching: Path) -> None:
    def ids() -> set[str]:
        documents = site.run_json("status")["documents"]
        return {one["document_id"] for one in documents if one["kb"] == "watched" and one["state"] == "searchable"}

    (watching / "second.md").write_text("# Second\n\nThe shape is round.\n", encoding="utf-8")
    wait_until(lambda: ids() == {"first.md", "second.md"}, BOUND_S, "the new file")
    (watching / "first.md").rename(watching / "renamed.md")
    wait_until(lambda: ids() == {"renamed.md", "second.md"}, BOUND_S, "the rename")
    (watching / "second.md").unlink()
    wait_until(lambda: ids() == {"renamed.md"}, BOUND_S, "the delete")
    (watching / "renamed.md").write_text("# First\n\nThe colour is violet.\n", encoding="utf-8")
    wait_until(
        lambda: "violet" in str(site.run_json("ask", "Which colour is it?", "--kb", "watched")), BOUND_S, "the edit"
    )


def test_an_unknown_kb_is_answered_with_those_that_there_are(site: SiteUnderTest, documents: Path) -> None:
    error = site.refused("ask", "what?", "--kb", "manual")
    assert "there is no knowledge base 'manual'" in error
    assert "Did you mean manuals?" in error


def test_a_name_that_can_not_be_a_kb_is_refused(site: SiteUnderTest) -> None:
    assert "can not be the name" in site.refused("ask", "what?", "--kb", "My Docs")


def test_a_path_that_is_not_there_is_refused(site: SiteUnderTest) -> None:
    error = site.refused("publish", "/no/such/folder", "--kb", "docs")
    assert "/no/such/folder is not there" in error


def test_without_a_site_a_person_is_told_how_to_start_one(tmp_path: Path) -> None:
    for command in (["ask", "what?", "--kb", "docs"], ["status"], ["dead-letters", "list"]):
        assert "causeway up site" in run_refused(*command, "--data-dir", str(tmp_path), code=3)


def test_an_address_where_nothing_answers_is_said_within_seconds() -> None:
    error = run_refused("status", "--url", "nats://127.0.0.1:9", "--site", "local", code=3)
    assert "the site can not be reached: nats://127.0.0.1:9" in error


def test_a_mistake_in_the_configuration_is_answered_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("site: a\nmodel:\n  precision: int4\n", encoding="utf-8")
    error = run_refused("up", "site", "--config", str(config), "--data", str(tmp_path / "site"))
    assert "line 3: model.precision is 'int4'" in error
    assert "int8 or fp32" in error
    assert not (tmp_path / "site").exists()


def test_the_printed_configuration_can_be_used_as_it_is(tmp_path: Path) -> None:
    text = run_causeway("up", "site", "--print-config")
    assert text.startswith("# A Causeway site.")
    assert "encryption: true" in text


def test_a_port_that_is_taken_is_named(site: SiteUnderTest, tmp_path: Path) -> None:
    port = str(site.record["url"]).rsplit(":", 1)[1]
    error = run_refused("up", "site", "--data", str(tmp_path / "other"), "--port", port)
    assert f"port {port} of 127.0.0.1 (ports.nats) is taken" in error


def test_an_empty_question_is_refused(site: SiteUnderTest) -> None:
    assert "the question is empty" in site.refused("ask", " ", "--kb", "docs")


def test_a_dead_letter_is_listed_shown_replayed_and_discarded(site: SiteUnderTest, tmp_path: Path) -> None:
    def letters() -> list[dict[str, object]]:
        found: list[dict[str, object]] = site.run_json("dead-letters", "list")
        return found

    site.run("dead-letters", "discard", "--all")
    assert "There are no dead letters." in site.run("dead-letters", "list")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 neither is this a pdf")
    site.run("publish", str(tmp_path), "--kb", "dead", code=1)
    wait_until(lambda: len(letters()) == 1, BOUND_S, "the dead letter")
    first = letters()[0]
    assert first["service"] == "ingestor"
    assert first["reason"]
    shown = json.loads(site.run("dead-letters", "show", str(first["number"])))
    assert shown["headers"]["ce-type"] == "io.causeway.document.v1"
    site.run("dead-letters", "replay", str(first["number"]))
    wait_until(
        lambda: [one["number"] != first["number"] for one in letters()] == [True], BOUND_S, "the replay to fail again"
    )
    site.run("dead-letters", "discard", "--all")
    assert letters() == []


def test_a_dead_letter_that_is_not_there_is_refused(site: SiteUnderTest) -> None:
    error = site.refused("dead-letters", "replay", "99999")
    assert "there is no dead letter 99999" in error


def test_an_evaluation_folder_of_another_kind_is_refused_with_the_formats(tmp_path: Path) -> None:
    error = run_refused("eval", "retrieval", "--data", str(tmp_path))
    assert "passages.jsonl (pid, title, text)" in error


def test_the_models_are_listed_as_json() -> None:
    roles = {row["role"] for row in json.loads(run_causeway("model", "list", "--json"))}
    assert {"embedding", "generator"} <= roles
