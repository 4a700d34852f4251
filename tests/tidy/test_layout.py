"""A newcomer finds the room of a line by its name: files, sizes, names and the README of each room."""

import ast
import re
from collections import Counter

import pytest

from tests.tidy.tree import ROOT, SERVICES, shipped, sources

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
SERVICE_SECTIONS = ("Consumes", "Produces", "Guarantee", "Settings")
EMPTY_NAMES = re.compile(r"(Manager|Helper|Util|Utils|Processor|Wrapper)$")
EMPTY_MODULES = {"utils", "util", "helpers", "helper", "common", "core", "shared", "misc"}


def test_no_init_stands_at_the_level_of_the_namespace_where_it_would_hide_every_sibling() -> None:
    stray = [*ROOT.glob("proto/src/causeway/__init__.py"), *ROOT.glob("*/*/src/causeway/__init__.py")]
    assert stray == []


def test_no_file_is_longer_than_its_limit() -> None:
    long = {source.name: source.text.count("\n") for source in sources() if source.text.count("\n") > FILE_LINES_MAX}
    assert long == {}, f"over {FILE_LINES_MAX} lines: one deliverable per file"


def test_no_function_is_longer_than_its_limit() -> None:
    long = {
        f"{source.name}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    }
    assert long == {}, f"over {FUNCTION_LINES_MAX} lines"


def test_every_module_says_in_a_docstring_what_it_knows() -> None:
    silent = [source.name for source in sources() if source.text.strip() and not ast.get_docstring(source.tree)]
    assert silent == []


def test_nothing_is_named_for_what_could_be_anything() -> None:
    found = [
        f"{source.name}: class {node.name}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and EMPTY_NAMES.search(node.name)
    ]
    found += [source.name for source in sources() if source.path.stem in EMPTY_MODULES]
    assert found == []


def test_no_two_test_files_have_the_same_name() -> None:
    names = Counter(source.path.name for source in sources() if source.path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_a_readme_with_its_contract(service: str) -> None:
    path = ROOT / "services" / service / "README.md"
    assert path.exists(), f"write {path.relative_to(ROOT)}"
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [section for section in SERVICE_SECTIONS if section not in headings] == []


@pytest.mark.parametrize("lib", sorted(path.parent.name for path in ROOT.glob("libs/*/pyproject.toml")))
def test_a_lib_has_a_readme(lib: str) -> None:
    assert (ROOT / "libs" / lib / "README.md").exists()


def test_every_distribution_is_typed() -> None:
    packages = {ROOT.joinpath(*source.path.relative_to(ROOT).parts[:-1]) for source in shipped()}
    tops = {path for path in packages if path.parent.name == "causeway"}
    assert tops
    assert [str(path.relative_to(ROOT)) for path in sorted(tops) if not (path / "py.typed").exists()] == []
