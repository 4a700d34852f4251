"""What a person sees who types a command wrongly."""

import importlib
import logging
import sys
from collections.abc import Iterator

import pytest
import typer

from causeway.cli.main import COMMANDS, main


@pytest.fixture(autouse=True)
def log_level_stays() -> Iterator[None]:
    """The command silences the log of its own process, which here is that of all tests."""
    logger = logging.getLogger("causeway")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("status --bogus", "--bogus"),
        ("hub init --wss-port 99999", "65535"),
        ("site add", "name"),
        ("site add a --link pigeon", "pigeon"),
        ("bogus", "bogus"),
    ],
)
def test_a_wrong_option_or_argument_is_named_without_a_traceback(
    line: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["causeway", *line.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert says in shown.lower()
    assert "--help" in shown


@pytest.mark.parametrize("module", sorted(set(COMMANDS.values())))
def test_a_command_is_looked_for_in_the_module_that_has_it(module: str) -> None:
    app = typer.Typer()
    importlib.import_module(f"causeway.cli.commands.{module}").register(app)
    names = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert names == {name for name, where in COMMANDS.items() if where == module}
