"""Which files are published and under which ids."""

from pathlib import Path

import pytest

from causeway.cli.errors import BadPathError
from causeway.cli.folder_scan import differences, media_type, scan


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_id_is_the_path_relative_to_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    write(tmp_path / "子" / "b.txt")
    assert list(scan([tmp_path])) == ["a.md", "子/b.txt"]


def test_a_file_is_named_by_its_name(tmp_path: Path) -> None:
    assert list(scan([write(tmp_path / "deep" / "a.md")])) == ["a.md"]


def test_hidden_and_leftover_files_are_left_out(tmp_path: Path) -> None:
    for name in (".git/config", ".hidden", "~$open.docx", "half.part", "Thumbs.db", "kept.txt"):
        write(tmp_path / name)
    assert list(scan([tmp_path])) == ["kept.txt"]


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "one" / "a.md")
    write(tmp_path / "two" / "a.md")
    with pytest.raises(BadPathError, match="would both be the document 'a.md'"):
        scan([tmp_path / "one", tmp_path / "two"])
    assert list(scan([tmp_path / "one"], prefix="one/")) == ["one/a.md"]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPathError, match="is not there"):
        scan([tmp_path / "nothing"])


def test_edits_renames_and_deletes_are_noticed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("same.md", "edited.md", "old.md", "deleted.md"):
        write(tmp_path / name)
    before = scan([tmp_path])
    write(tmp_path / "edited.md", "longer than before")
    (tmp_path / "old.md").rename(tmp_path / "new.md")
    (tmp_path / "deleted.md").unlink()
    changes = differences(before, scan([tmp_path]))
    assert sorted(changes.changed) == ["edited.md", "new.md"]
    assert changes.removed == ("deleted.md", "old.md")


def test_the_media_type_comes_from_the_name() -> None:
    assert media_type(Path("a.MD")) == "text/markdown"
    assert media_type(Path("a.pdf")) == "application/pdf"
    assert media_type(Path("a.unheard-of")) == ""
