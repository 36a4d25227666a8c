"""What tests share: the recordings of the notebooks, made-up large runs, and the programs to compare with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import laggard

WORKSPACE = Path(__file__).resolve().parents[2]
RECORDED = WORKSPACE / "notebooks" / "data" / "recorded.tar.zst"


def program(name: str) -> Path:
    """A built program of this workspace."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or WORKSPACE / "target")
    path = target / "debug" / name
    if not path.exists():
        pytest.fail(f"{path} is not there: build it with `cargo build --workspace --all-features --bins --examples`")
    return path


@pytest.fixture(scope="session")
def analyze():
    """Runs `analyze` with arguments and gives its standard output."""
    path = program("analyze")

    def run(*arguments: object) -> str:
        command = [str(path), *(str(argument) for argument in arguments)]
        ran = subprocess.run(command, capture_output=True, text=True)
        # 4 and 5 are what gates and checks found.
        assert ran.returncode in (0, 4, 5), ran.stderr
        return ran.stdout

    return run


@pytest.fixture(scope="session")
def runs() -> laggard.Runs:
    """The recorded runs of the notebooks, in their bundle."""
    return laggard.open(RECORDED)


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory):
    """Makes made-up runs: how many, and of how many rows."""
    made: dict[tuple[int, int], Path] = {}

    def make(count: int, rows: int) -> Path:
        if (count, rows) not in made:
            folder = tmp_path_factory.mktemp(f"generated_{count}_{rows}")
            command = [str(program("examples/generate-runs")), "--runs", str(count), "--rows", str(rows), "--dir", str(folder)]
            subprocess.run(command, check=True, capture_output=True)
            made[count, rows] = folder
        return made[count, rows]

    return make
