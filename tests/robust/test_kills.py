"""A process killed at any moment: the same command again gives, byte for byte, what it gives undisturbed.

60 kills in all; `AVTERM_KILLS` times as many with that environment variable (a whole number).
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.robust.small import decisions, make_corpus
from tests.robust.warm import STAGES, Warm, contents, differing, stage_commands

TIMES = int(os.environ.get("AVTERM_KILLS", "1"))
KILLS = 12 * TIMES  # a stage: half of them at a moment that touches the disk, half at any time
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


def before(stage: str, folder: Path, avterm: Warm) -> dict[str, list[str]]:
    """A folder with a corpus and a run on which all stages before `stage` are done; its commands."""
    make_corpus(folder / "corpus")
    (folder / "decisions.jsonl").write_text(decisions())
    commands = stage_commands(folder)
    for name in STAGES[: STAGES.index(stage)]:
        assert avterm(folder, *commands[name])["code"] == 0
    return commands


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_moment_and_run_again(stage: str, avterm: Warm, tmp_path: Path) -> None:
    folder = tmp_path / "here"  # one path for all, so that not even a path in a file differs
    commands = before(stage, folder, avterm)
    command, run = commands[stage], folder / "run"
    shutil.copytree(folder, tmp_path / "start")
    whole = avterm(run, *command)
    assert whole["code"] == 0, whole["stderr"]
    expected = contents(run)
    random = np.random.default_rng([7, STAGES.index(stage)])
    at = random.choice(np.arange(1, whole["moments"] + 1), KILLS // 2, replace=whole["moments"] < KILLS // 2)
    after = random.uniform(0.05, 1.0, KILLS - KILLS // 2) * whole["seconds"]
    plans = [{"at": int(n)} for n in at] + [{"after": float(s)} for s in after]
    ended = []
    for number, plan in enumerate(plans):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "start", folder)
        hurt = {**plan, "signal": int(SIGNALS[number % 3])}
        killed = avterm(run, *command, **hurt)
        ended.append(killed["code"])
        assert "Traceback" not in killed["stderr"], (hurt, killed["stderr"])
        again = avterm(run, *command)
        assert again["code"] == 0, (hurt, killed["stderr"], again["stderr"])
        assert not differing(expected, contents(run)), (hurt, killed, differing(expected, contents(run)))
    assert sum(code != 0 for code in ended) >= KILLS // 3, f"hardly a kill came in time: {ended}"
