"""The notebooks: they run from top to bottom with all that they assert, and are kept with what they put out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


def test_there_are_three() -> None:
    assert [name[0] for name in NAMES] == ["1", "2", "3"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name: str) -> None:
    ran = subprocess.run(
        [sys.executable, str(NOTEBOOKS / "run"), "--check", str(NOTEBOOKS / name)], capture_output=True, text=True, timeout=900
    )
    assert ran.returncode == 0, ran.stderr[-4000:]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_as_it_ran(name: str) -> None:
    book = nbformat.read(NOTEBOOKS / name, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run it with notebooks/run"
    outputs = [output for cell in code for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs), "with its pictures"
    text = nbformat.writes(book)
    for place in ("/root/", "/home/", "/tmp/", "/work/"):
        assert place not in text, f"{place}: a path of the machine that it ran on"
