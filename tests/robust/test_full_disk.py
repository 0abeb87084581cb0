"""A disk that fills up or turns read-only midway: one line, exit 1, nothing damaged, and the same again after."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avterm.store.shards import verify
from tests.robust.small import decisions, make_corpus
from tests.robust.warm import STAGES, Warm, contents, differing, stage_commands

FAULTS = 3  # a stage: refusals at a random moment, and from then on


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB; skips where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def one_line(failed: dict[str, Any]) -> None:
    """Exit 1 and, besides progress, one line that names what could not be written."""
    told = [line for line in failed["stderr"].splitlines() if line.startswith("avterm: ")]
    assert failed["code"] == 1, failed
    assert "Traceback" not in failed["stderr"], failed["stderr"]
    assert len(told) == 1, failed["stderr"]
    assert any(word in told[0] for word in ("written", "space", "Read-only", "too large", "full")), told


def whole_or_absent(run: Path) -> None:
    """Every shard that bears its final name is as it was written."""
    for path in run.rglob("*.h5"):
        if not path.name.startswith("."):
            with path.open("rb") as file:
                kind = json.loads(file.readline())["avterm"]
            verify(path, kind)


@pytest.mark.parametrize("stage", STAGES)
def test_refused_at_any_moment(stage: str, avterm: Warm, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    make_corpus(folder / "corpus")
    (folder / "decisions.jsonl").write_text(decisions())
    commands, run = stage_commands(folder), folder / "run"
    for name in STAGES[: STAGES.index(stage)]:
        assert avterm(folder, *commands[name])["code"] == 0
    shutil.copytree(folder, tmp_path / "start")
    whole = avterm(run, *commands[stage])
    expected = contents(run)
    random = np.random.default_rng([8, STAGES.index(stage)])
    most = whole["moments"]
    faults = [{"at": int(n), "errno": errno.ENOSPC if i % 2 else errno.EROFS, "lasting": True}
              for i, n in enumerate([1, *random.integers(1, most + 1, FAULTS - 1)])]  # fmt: skip
    refused = 0
    for fault in [*faults, {"fsize": 2500}, {"fsize": 100}]:
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "start", folder)
        failed = avterm(run, *commands[stage], **fault)
        if failed["code"] == 0:  # the fault came too late, or no file was as large
            assert not differing(expected, contents(run)), fault
            continue
        refused += 1
        one_line(failed)
        whole_or_absent(run)
        again = avterm(run, *commands[stage])
        assert again["code"] == 0, (fault, failed["stderr"], again["stderr"])
        assert not differing(expected, contents(run)), (fault, failed)
    assert refused >= 2, "hardly a fault came in time"


def test_a_disk_that_is_truly_full(avterm: Warm, small_disk: Path) -> None:
    make_corpus(small_disk / "corpus", pairs=8)
    (small_disk / "decisions.jsonl").write_text(decisions())
    for stage, command in stage_commands(small_disk).items():
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        one_line(avterm(small_disk / "run", *command))
        whole_or_absent(small_disk)
        ballast.unlink()
        assert avterm(small_disk / "run", *command)["code"] == 0, stage


def test_a_disk_that_is_truly_read_only(avterm: Warm, small_disk: Path) -> None:
    make_corpus(small_disk / "corpus", pairs=8)
    (small_disk / "decisions.jsonl").write_text(decisions())
    for command in stage_commands(small_disk).values():
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        one_line(avterm(small_disk / "run", *command))
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        assert avterm(small_disk / "run", *command)["code"] == 0
