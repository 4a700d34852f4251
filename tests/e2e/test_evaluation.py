"""`causeway eval` over small sets, through the services of a running site."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.site import SiteUnderTest, run_causeway

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

FACTS = {
    "pump": ("The pump of the hall delivers 310 litres a minute.", "How much does the pump deliver?", "310 litres"),
    "valve": ("The valve V3 was made by Brunner in Linz in 1998.", "Who made the valve V3?", "Brunner"),
    "door": ("The fire door closes within nine seconds.", "How fast does the fire door close?", "nine seconds"),
    "lamp": ("The lamp is switched on at dusk by a photocell.", "What switches on the lamp?", "photocell"),
    "tank": ("The oil tank is checked every March.", "When is the oil tank checked?", "March"),
    "crane": ("The crane of the dock lifts twelve tonnes.", "How much does the crane lift?", "twelve tonnes"),
}


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    folder = tmp_path / "facts"
    folder.mkdir()
    lines(folder / "passages.jsonl", [{"pid": key, "title": key, "text": text} for key, (text, _, _) in FACTS.items()])
    lines(
        folder / "questions.jsonl",
        [
            {"qid": key, "pid": key, "question": question, "answers": [answer]}
            for key, (_, question, answer) in FACTS.items()
        ],
    )
    return folder


def test_retrieval_is_measured_for_both_lists_and_each_alone(site: SiteUnderTest, facts: Path) -> None:
    numbers = site.run_json("eval", "retrieval", "--data", str(facts))
    assert (numbers["questions"], numbers["passages"]) == (6, 6)
    assert numbers["r_at_1"] == 1.0
    assert set(numbers["bm25"]) == set(numbers["dense"]) == {"r_at_1", "mrr_at_10", "ndcg_at_10"}
    states = site.run_json("status")["knowledge_bases"]["eval-facts-text"]
    assert set(states) <= {"deleted", "received", "searchable"}


def test_answers_are_measured_with_and_without_their_passages(site: SiteUnderTest, facts: Path) -> None:
    numbers = site.run_json("eval", "answer", "--data", str(facts), "--seed", "3")
    assert {"holds_answer", "em", "f1", "abstained", "wrong_unanswerable", "false_abstained"} <= set(numbers)
    assert numbers["unanswerable"] == 2
    assert numbers["holds_answer"] == pytest.approx(
        numbers["holds_answer_if_answered"] * (1 - numbers["false_abstained"])
    )
    assert numbers["abstained"] + numbers["wrong_unanswerable"] == pytest.approx(1.0)


def test_parsing_is_measured_on_the_text_that_became_knowledge(site: SiteUnderTest, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.html").write_text("<h1>Title</h1><p>One phrase, <b>whole</b>.</p>", encoding="utf-8")
    (folder / "b.txt").write_bytes("一个完整的句子。".encode("gb18030"))
    (folder / "c.pdf").write_bytes(b"%PDF-1.4 no pdf")
    rows = [
        {"file": "a.html", "must_contain": ["one phrase whole", "Title"]},
        {"file": "b.txt", "must_contain": ["完整的句子", "not there"]},
        {"file": "c.pdf", "must_contain": [], "needs": "ocr"},
    ]
    lines(folder / "manifest.jsonl", rows)
    numbers = site.run_json("eval", "parse", "--data", str(folder))
    assert (numbers["documents"], numbers["complete"], numbers["phrase_recall"]) == (2, 1, 0.75)
    assert (numbers["failed"], numbers["failed_with_needs"], numbers["crashes"]) == (0, 1, 0)


def test_routing_is_measured_on_any_folder_of_its_form(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {n} times {n + 1}?", "weak": n % 2, "strong": 1} for n in range(30)] + [
        {"prompt": f"In which town was painter number {n} born?", "weak": 1, "strong": 1} for n in range(30)
    ]
    lines(tmp_path / "small.jsonl", rows)
    shipped = json.loads(run_causeway("eval", "routing", "--data", str(tmp_path), "--resamples", "50", "--json"))
    assert shipped["sets"]["small"]["seen_in_fit"] == 0
    assert shipped["fit_is"]["on"] == {"gsm8k_weak_strong": 772, "mmlu_weak_strong": 2_681}
    crossed = json.loads(
        run_causeway("eval", "routing", "--data", str(tmp_path), "--fit", "cross", "--folds", "5", "--json")
    )
    # Half of the sums are beyond the weak model and none of the towns: a router can see which is which.
    assert crossed["sets"]["small"]["router"]["apgr"] > 0.6
