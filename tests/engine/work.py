"""Work that the engines' tests hand out; in a module of its own, as workers import it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import torch

from avterm.engine.ahead import workers_here
from avterm.engine.mapping import Report
from avterm.errors import BadInput, Problem


def square(task: int, report: Report) -> int:
    """The earlier the task the longer it takes, so that answers are ready out of order."""
    time.sleep(0.002 * max(0, 10 - task))
    if task % 5 == 4:
        report.problem(Problem(str(task), "four", "ends in four or nine"))
    report.advance(task)
    return task * task


def process(task: int, report: Report) -> tuple[int, int, int]:
    """Who works, and with how many threads."""
    return os.getpid(), torch.get_num_threads(), workers_here()


def refuse(task: int, report: Report) -> int:
    """An error of the work's own."""
    if task == 3:
        raise BadInput("picture 3: cannot be read")
    return task


def die_once(folder: Path, task: int, report: Report) -> int:
    """The worker of task 5 is killed the first time."""
    (folder / f"begun-{task}-{time.monotonic_ns()}").touch()
    if task == 5 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    report.advance()
    return task * task


def die(task: int, report: Report) -> int:
    """The worker of task 2 is killed each time."""
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task
