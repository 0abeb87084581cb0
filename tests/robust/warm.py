"""The tests' side of the driver: start it, give it commands, compare folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("features", "train", "ground", "cluster", "curate")
NOT_RESULTS = (".lock", "tensorboard")  # who holds the run, and a log with times of day in it


class Warm:
    """A process that has imported everything; each command is a fork of it."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.robust.driver"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )

    def __call__(self, watch: Path, *argv: str | Path, **hurt: Any) -> dict[str, Any]:
        """Run `avterm ARGV`, hurt as `driver.Hurt` says; `watch` is the folder whose changes count."""
        job = {"argv": [str(a) for a in argv], "hurt": {"watch": str(watch), **hurt}}
        self._process.stdin.write(json.dumps(job) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        answer = self._process.stdout.readline()  # type: ignore[union-attr]
        assert answer, "the driver died"
        done: dict[str, Any] = json.loads(answer)
        assert not done["hung"], f"avterm {argv} hung: {done}"
        return done

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(300)


@contextmanager
def warmed() -> Iterator[Warm]:
    """A driver for the length of a block."""
    process = Warm()
    try:
        yield process
    finally:
        process.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Every result in a run by its path, as bytes; leftovers of writers that died count too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part in NOT_RESULTS for part in path.relative_to(folder).parts)
    }


def differing(left: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    """The files that are on one side only, or differ, and where."""
    return sorted(
        f"{name}: {_difference(left.get(name), right.get(name))}"
        for name in left.keys() | right.keys()
        if left.get(name) != right.get(name)
    )


def _difference(left: bytes | None, right: bytes | None) -> str:
    if left is None or right is None:
        return "only there" if left is None else "missing"
    places = [i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b]
    return f"{len(left)} and {len(right)} bytes, {len(places)} differ, the first at {places[:20]}"


def stage_commands(folder: Path) -> dict[str, list[str]]:
    """The command of each stage on the corpus and run in `folder`, in the order in which they must be run."""
    run, corpus = folder / "run", folder / "corpus"
    begin = ["--corpus", str(corpus), "--config", str(corpus / "settings.toml")]
    return {
        "features": ["features", str(run), *begin],
        "train": ["train", str(run)],
        "ground": ["ground", str(run)],
        "cluster": ["cluster", str(run), "-k", "4", "-k", "3"],
        "curate": ["curate", "import", str(run), str(folder / "decisions.jsonl")],
    }
