"""The Python in the documents type-checks against the code as it is, so that no example calls what is not there."""

import re
from pathlib import Path

import pytest
from mypy import api

from tests.tidy.tree import ROOT

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*/*/README.md"))]


@pytest.mark.parametrize(
    "name", [name for name in DOCUMENTS if PYTHON.search((ROOT / name).read_text(encoding="utf-8"))]
)
def test_every_python_example_of_a_document_type_checks(name: str, tmp_path: Path) -> None:
    for number, code in enumerate(PYTHON.findall((ROOT / name).read_text(encoding="utf-8")), start=1):
        example = tmp_path / f"example_{number}.py"
        example.write_text(code, encoding="utf-8")
        found, _, status = api.run(
            ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"), str(example)]
        )
        assert status == 0, f"{name}, example {number}:\n{found}"
