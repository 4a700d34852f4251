"""Log files of a site's processes."""

from pathlib import Path

from causeway.cli.log_files import OLD_FILES, TAIL_LINES, LogFile


def test_a_log_is_rotated_by_size_and_keeps_only_so_many_old_files(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", bytes_max=100)
    for number in range(100):
        log.write(b"line %03d of the log\n" % number)
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["a.log", *(f"a.log.{number}" for number in range(1, OLD_FILES + 1))]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert b"line 099" in (tmp_path / "a.log").read_bytes()


def test_the_last_lines_are_at_hand(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    for number in range(50):
        log.write(b"line %d\n" % number)
    assert list(log.tail) == [f"line {number}" for number in range(50 - TAIL_LINES, 50)]


def test_a_log_goes_on_after_a_restart_of_its_process(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    log.write(b"one\n")
    log.close()
    log.write(b"two\n")
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n"


def test_a_line_that_can_not_be_written_costs_only_itself(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = LogFile(folder / "a.log")
    folder.rmdir()
    log.write(b"lost\n")
    folder.mkdir()
    log.write(b"kept\n")
    assert (log.lost, (folder / "a.log").read_bytes()) == (1, b"kept\n")
