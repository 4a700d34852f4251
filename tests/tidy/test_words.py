"""What no file may say: where it was written, by what, and which host a package came from."""

import re

from tests.tidy.tree import texts

# Spelt in pieces, so that this file does not find itself.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "crates" + ".io",
    "proxy." + "golang",
    "deb." + "debian.org",
    "gh" + "cr.io",
    "gc" + "r.io/",
    "qua" + "y.io",
    "docker" + ".io/",
]
PHRASES = [
    "this ses" + "sion",
    "another ses" + "sion",
    "previous ses" + "sion",
    "sub" + "agent",
    "sub-" + "agent",
    "team" + "mate",
    "the " + "lead ",
    "as an " + "AI",
    "issue" + " #",
    "issues" + " show",
    "TO" + "DO",
    "FIX" + "ME",
]
LOCAL_PATHS = re.compile(r"(?<![\w.~$}/-])/(?:wo" + "rk|ro" + "ot|ho" + r"me|Us" + r"ers)/\w")
BANNER = re.compile(r"^\s*#\s*[-=*#~]{4,}", re.MULTILINE)


def where(text: str, position: int) -> int:
    """The line of a position."""
    return text.count("\n", 0, position) + 1


def findings(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{where(text, match.start())} {match.group()}"
        for name, text in texts()
        if not name.startswith("deploy/demo/")
        for match in pattern.finditer(text)
    ]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert findings(re.compile("|".join(map(re.escape, HOSTS)))) == []


def test_no_file_speaks_of_how_it_came_about() -> None:
    assert findings(re.compile("|".join(map(re.escape, PHRASES)))) == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert findings(LOCAL_PATHS) == []


def test_no_comment_is_a_banner() -> None:
    python = [(name, text) for name, text in texts() if name.endswith(".py")]
    assert [f"{name}:{where(text, m.start())}" for name, text in python for m in BANNER.finditer(text)] == []


def test_every_text_file_ends_in_one_newline_and_no_line_in_space() -> None:
    found = [name for name, text in texts() if text and (not text.endswith("\n") or text.endswith("\n\n"))]
    found += [
        f"{name}:{number}"
        for name, text in texts()
        if name.endswith((".py", ".md", ".toml", ".yaml", ".yml", ".conf"))
        for number, line in enumerate(text.splitlines(), start=1)
        if line != line.rstrip()
    ]
    assert [
        name for name in found if "/golden/" not in name and "/data/" not in name and "deploy/demo" not in name
    ] == []
