"""`causeway calibrate` and `causeway eval calibration` with a running site."""

import json
from pathlib import Path
from typing import Any

import pytest

from causeway.calibration.calibration_file import decode_file
from tests.support.site import SiteUnderTest, run_causeway, run_refused

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]

KB = "pumps"
MAKERS = ("Brunner", "Keller", "Okafor", "Silva", "Tanaka", "Lindqvist", "Moreau", "Novak")
FLUIDS = ("water", "oil", "brine", "glycol", "steam", "milk", "paint", "slurry", "acid", "syrup")
PLACES = ("harbour", "dairy", "mill", "quarry", "brewery")


def machines() -> list[dict[str, Any]]:
    """Fifty passages of three facts each, with four questions: the fourth asks what no passage says."""
    made = []
    for number in range(50):
        maker, fluid, place = MAKERS[number % 8], FLUIDS[number % 10], PLACES[number // 10]
        litres, year, bolts = 100 + 7 * number, 1950 + number, 4 + number % 9
        text = (
            f"The {fluid} pump of the {place} delivers {litres} litres a minute. "
            f"It was made by {maker} in {year}. Its flange is held by {bolts} bolts."
        )
        asked = [
            (f"How much does the {fluid} pump of the {place} deliver?", f"{litres} litres"),
            (f"Who made the {fluid} pump of the {place}?", maker),
            (f"How many bolts hold the flange of the {fluid} pump of the {place}?", f"{bolts} bolts"),
            (f"What does the {fluid} pump of the {place} cost?", ""),
        ]
        made.append({"pid": f"m{number}", "title": f"{place} {fluid}", "text": text, "asked": asked})
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The passages and their questions, and the passages as files."""
    folder = tmp_path_factory.mktemp("machines")
    documents = folder / "documents"
    documents.mkdir()
    passages, questions = [], []
    for machine in machines():
        asked = machine.pop("asked")
        passages.append(machine)
        # The documents of every fifth are not in the knowledge base, so its questions have no answer there.
        if int(machine["pid"][1:]) % 5:
            (documents / f"{machine['pid']}.txt").write_text(machine["text"], encoding="utf-8")
        questions += [
            {"qid": f"{machine['pid']}-{at}", "pid": machine["pid"], "question": one, "answers": [gold] if gold else []}
            for at, (one, gold) in enumerate(asked)
        ]
    for name, rows in (("passages", passages), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def calibrated(site: SiteUnderTest, folder: Path) -> dict[str, Any]:
    """What `calibrate --publish --json` says of the knowledge base of these documents."""
    site.run("publish", str(folder / "documents"), "--kb", KB, timeout_s=240)
    printed: dict[str, Any] = site.run_json(
        "calibrate", "--kb", KB, "--data", str(folder), "--out", str(folder / "out"), "--publish", timeout_s=240
    )
    return printed


def test_a_calibration_is_a_folder_with_a_version_and_two_diagrams(calibrated: dict[str, Any]) -> None:
    folder = Path(calibrated["folder"])
    file = decode_file((folder / "calibration.json").read_bytes())
    assert folder.name == f"{KB}-{file.version}"
    assert (file.kb, file.promise, file.source.kind, file.source.questions) == (KB, 0.85, "questions", 200)
    assert file.model_id
    group = file.groups["en"]
    assert 0 < group.right < group.answered <= group.questions == 200
    for name in ("reliability.png", "risk_coverage.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_same_labels_give_the_same_calibration(
    site: SiteUnderTest, folder: Path, calibrated: dict[str, Any]
) -> None:
    again = site.run("calibrate", "--kb", KB, "--data", str(folder), "--out", str(folder / "again"), timeout_s=240)
    assert calibrated["calibration"]["version"] in again
    assert "local : cloud" in again
    assert "Not in force yet" in again


def test_a_file_is_put_in_force_where_it_fits_and_refused_where_it_does_not(
    site: SiteUnderTest, tmp_path: Path, calibrated: dict[str, Any]
) -> None:
    file = Path(calibrated["folder"]) / "calibration.json"
    assert calibrated["calibration"]["version"] in site.run("calibrate", "--kb", KB, "--file", str(file))
    changed = tmp_path / "other.json"
    changed.write_text(file.read_text().replace(calibrated["calibration"]["model_id"], "another"), encoding="utf-8")
    assert "fitted for the embedding model another" in site.refused("calibrate", "--kb", KB, "--file", str(changed))
    changed.write_text("{}", encoding="utf-8")
    assert "this is no calibration" in site.refused("calibrate", "--kb", KB, "--file", str(changed))
    assert f"is the calibration of '{KB}'" in site.refused("calibrate", "--kb", "x", "--file", str(file))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--kb", KB, "--limit", "12"), "are too few: a calibration needs 60"),
        (("--kb", "My Docs"), "can not be the name"),
        (("--kb", "no-such-kb"), "there is no knowledge base 'no-such-kb'"),
    ],
)
def test_what_can_not_be_calibrated_is_said_with_its_mend(
    site: SiteUnderTest, folder: Path, calibrated: dict[str, Any], options: tuple[str, ...], says: str
) -> None:
    assert calibrated
    assert says in site.refused("calibrate", "--data", str(folder), *options)


def test_a_folder_without_questions_is_refused(site: SiteUnderTest, tmp_path: Path, calibrated: dict[str, Any]) -> None:
    assert calibrated
    assert "has no questions.jsonl" in site.refused("calibrate", "--kb", KB, "--data", str(tmp_path))


def test_without_feedback_there_is_nothing_to_fit_from(site: SiteUnderTest, calibrated: dict[str, Any]) -> None:
    assert calibrated
    assert "0 labelled answers to 0 passages are too few" in site.refused("calibrate", "--kb", KB, "--feedback")


def test_the_site_that_runs_in_the_default_folder_is_asked_where_none_is_named(
    site: SiteUnderTest, folder: Path, tmp_path: Path, calibrated: dict[str, Any]
) -> None:
    (tmp_path / ".causeway").mkdir()
    (tmp_path / ".causeway/site").symlink_to(site.folder)
    said = run_refused("calibrate", "--kb", KB, "--data", str(folder), "--limit", "12", cwd=tmp_path)
    assert f"The site {site.record['site']} at {site.record['url']} is asked." in said
    assert "are too few" in said
    file = Path(calibrated["folder"]) / "calibration.json"
    assert "In force at" in run_causeway("calibrate", "--kb", KB, "--file", str(file), cwd=tmp_path)


def test_where_no_site_runs_a_set_is_needed_and_nothing_is_put_in_force(folder: Path, tmp_path: Path) -> None:
    said = run_refused("calibrate", "--kb", KB, "--data", str(folder), "--publish", code=3, cwd=tmp_path)
    assert "no site is running in .causeway/site" in said
    assert "--data-dir" in said
    said = run_refused("calibrate", "--kb", KB, "--data", str(tmp_path), cwd=tmp_path)
    assert "A temporary site is asked" in said
    assert "is not an evaluation set" in said
    said = run_refused(
        "calibrate", "--kb", KB, "--data", str(folder), "--config", "site.yaml", "--publish", cwd=tmp_path
    )
    assert "Leave --config out" in said


def test_confidence_is_measured_with_a_part_withheld(site: SiteUnderTest, folder: Path) -> None:
    numbers = site.run_json("eval", "calibration", "--data", str(folder), timeout_s=240)
    assert (numbers["questions"], numbers["withheld_passages"], numbers["folds"]) == (200, 17, 10)
    for name in ("ece", "brier", "auroc", "local_precision", "local_share"):
        low, high = numbers["intervals"][name]
        assert 0.0 <= low <= high <= 1.0
        assert 0.0 <= numbers[name] <= 1.0
    assert set(numbers["promises"]) == {"0.80", "0.85", "0.90", "0.95"}
    assert numbers["auroc"] > 0.6
