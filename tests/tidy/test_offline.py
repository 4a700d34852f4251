"""No library reports to its maker: what switches that off is set before the library is imported."""

import subprocess
import sys

import pytest

from tests.tidy.test_code import imported
from tests.tidy.tree import ROOT, shipped

SWITCHES = {"onnxruntime": ("ORT_DISABLE_TELEMETRY", "1")}
# In a fresh interpreter, the import of a library that reports fails unless its switch is set by then.
GUARD = """
import importlib, os, sys
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name == {library!r} and os.environ.get({variable!r}) != {value!r}:
            raise SystemExit({variable!r} + " is not set before " + name + " is imported")
sys.meta_path.insert(0, Guard())
importlib.import_module({module!r})
"""
IMPORTERS = [
    (".".join(source.path.with_suffix("").relative_to(ROOT).parts).partition("src.")[2], library)
    for source in shipped()
    for library in SWITCHES
    if any(name.split(".")[0] == library for _, name in imported(source))
]


@pytest.mark.parametrize(("module", "library"), sorted(set(IMPORTERS)))
def test_telemetry_is_off_before_the_library_is_imported(module: str, library: str) -> None:
    variable, value = SWITCHES[library]
    code = GUARD.format(library=library, variable=variable, value=value, module=module.removesuffix(".__init__"))
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_images_switch_telemetry_off() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert [variable for variable, value in SWITCHES.values() if f"{variable}={value}" not in text] == []
