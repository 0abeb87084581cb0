"""Twenty times the data within 10% of the same memory; `tests.robust.memory` says how large, and what would fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robust.memory import STAGES
from tests.robust.warm import ROOT

SCALE = 20
MORE = 1.10


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.robust.memory", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    made = {scale: tmp_path_factory.mktemp("memory") / str(scale) for scale in (1, SCALE)}
    for scale, folder in made.items():
        run("make", str(scale), str(folder))
    return made


@pytest.mark.parametrize("stage", STAGES)
def test_memory_does_not_grow_with_the_data(stage: str, folders: dict[int, Path]) -> None:
    peaks = {scale: json.loads(run(stage, str(scale), str(folder)))["peak_mib"] for scale, folder in folders.items()}
    assert peaks[SCALE] <= MORE * peaks[1], peaks
