"""Dev texts are read in the forms that evaluation folders have."""

from pathlib import Path

import pytest

from causeway.models.devset import DevQuestion, load_devset
from causeway.models.errors import ModelError


def write(folder: Path, passages: str, questions: str) -> Path:
    (folder / "passages.jsonl").write_text(passages)
    (folder / "questions.jsonl").write_text(questions)
    return folder


def test_the_bundled_set_asks_in_both_languages_of_passages_in_both() -> None:
    dev = load_devset()
    assert (len(dev.passages), len(dev.questions)) == (40, 40)
    assert all(len(question.answers) == 2 for question in dev.questions)
    assert sum(not question.text.isascii() for question in dev.questions) == 20


def test_a_title_leads_its_passage(tmp_path: Path) -> None:
    folder = write(
        tmp_path, '{"pid": 1, "title": "Pump", "text": "It turns."}\n', '{"pid": "1", "question": "Does it turn?"}\n'
    )
    dev = load_devset(folder)
    assert dev.passages == ["Pump\nIt turns."]
    assert dev.questions == [DevQuestion("Does it turn?", frozenset({0}))]


def test_a_long_set_is_cut_and_questions_of_lost_passages_go_with_it(tmp_path: Path) -> None:
    passages = "".join(f'{{"pid": {n}, "text": "p{n}"}}\n' for n in range(9))
    questions = "".join(f'{{"pid": {n}, "question": "q{n}"}}\n' for n in range(9))
    dev = load_devset(write(tmp_path, passages, questions), passages_max=3)
    assert [question.text for question in dev.questions] == ["q0", "q1", "q2"]


@pytest.mark.parametrize(
    ("passages", "said"),
    [("{\n", "line 1 is not JSON"), ('{"pid": 1, "text": "a"}\n', "no question about its passages")],
)
def test_an_unfit_folder_is_said(passages: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        load_devset(write(tmp_path, passages, '{"pid": 2, "question": "b"}\n'))


def test_a_folder_without_the_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"passages.jsonl is missing"):
        load_devset(tmp_path)
