"""What the code may not do, where no linter has the rule."""

import ast
import re
from collections.abc import Iterator

from tests.tidy.tree import ROOT, Source, shipped, sources

# These decide; clocks, ids, numbers by chance and I/O are passed in.
PURE_NAMES = {
    "answer_index",
    "answerability",
    "audit_budget",
    "budget",
    "chunking",
    "composing",
    "digests",
    "doubts",
    "drift",
    "feedback_rules",
    "findings",
    "fusion",
    "identity",
    "judging",
    "language",
    "ledger",
    "lexical",
    "numbering",
    "pace",
    "reading",
    "residency",
    "revision",
    "routing",
    "rules",
    "shelf_plan",
    "tombstones",
    "usage_of",
    "versions",
    "window",
}
PURE_LIBS = {"breaker", "calibration", "language", "merge", "prices", "reconciliation", "retrieval", "semantic_cache"}
IMPURE = {
    "aiohttp",
    "asyncio",
    "chromadb",
    "faststream",
    "httpx",
    "nats",
    "pymilvus",
    "random",
    "requests",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "time",
    "torch",
    "urllib",
    "uuid",
}
IMPURE_NAMES = {"os.environ", "os.getenv", "datetime.now", "datetime.utcnow", "date.today", "numpy.random", "np.random"}
REASON = re.compile(r"#.*outermost", re.IGNORECASE)
BARE_EXCEPTS_MAX = 1


def calls(source: Source) -> Iterator[tuple[int, str, ast.Call]]:
    """Every call with its line and the dotted name that is called."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func), node


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Every imported module, whole, with its line; imports for types only are left out."""
    guarded = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(source.tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def pure() -> list[Source]:
    """The modules that decide."""
    found = []
    for source in shipped():
        package = source.path.relative_to(ROOT).parts[1]
        room = source.path.relative_to(ROOT).parts[0]
        if (room == "services" and source.path.stem in PURE_NAMES) or (room == "libs" and package in PURE_LIBS):
            found.append(source)
    return found


def test_a_pure_module_imports_no_clock_no_chance_and_no_io() -> None:
    found = [
        f"{source.name}:{line} imports {name}"
        for source in pure()
        for line, name in imported(source)
        if name.split(".")[0] in IMPURE
    ]
    found += [
        f"{source.name}:{node.lineno} uses {ast.unparse(node)}"
        for source in pure()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in IMPURE_NAMES
    ]
    assert found == [], "pass it in instead"


def test_nothing_shipped_prints_but_the_command_line() -> None:
    found = [
        f"{source.name}:{line}"
        for source in shipped()
        if "services/cli/" not in source.name and source.path.name != "main.py"
        for line, name, _ in calls(source)
        if name in ("print", "pprint", "breakpoint")
    ]
    assert found == [], "log it, or write to sys.stdout where it is the result"


def test_everything_is_caught_only_by_an_outermost_loop_that_says_so() -> None:
    found: list[str] = []
    counts: dict[str, int] = {}
    for source in shipped():
        lines = source.text.splitlines()
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node):
                counts[source.name] = counts.get(source.name, 0) + 1
                if not REASON.search(lines[node.lineno - 1]) and not _only_reraises(node):
                    found.append(f"{source.name}:{node.lineno}")
    found += [f"{name}: {count} of them" for name, count in counts.items() if count > BARE_EXCEPTS_MAX]
    assert found == [], "catch what you can name; an outermost loop says in a comment that it is the outermost"


def _catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def _only_reraises(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None


def test_no_test_sleeps_for_a_while_and_hopes() -> None:
    found = [
        f"{source.name}:{line}"
        for source in sources()
        if source.name.startswith("tests/") and not source.name.startswith(("tests/support/", "tests/bench/"))
        for line, name, call in calls(source)
        if name in ("time.sleep", "asyncio.sleep", "sleep") and not _is_zero(call)
    ]
    assert found == [], "wait for an event within a bounded timeout (tests/support), or use a fake clock"


def _is_zero(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def test_heavy_libraries_are_imported_by_adapters_only() -> None:
    adapters = {"chromadb": "chroma", "usearch": "usearch", "xllamacpp": "llama", "kreuzberg": "kreuz"}
    found = [
        f"{source.name}:{line} imports {name}"
        for source in shipped()
        for line, name in imported(source)
        if (stem := adapters.get(name.split(".")[0])) and stem not in source.path.stem
    ]
    assert found == [], "a unit test must not pay for it: import it in the adapter that is named for it"
