"""The same work on many tasks, answers in order: in this process, in several of this machine, or on a cluster.

A stage hands an engine a function of a module, or a `functools.partial` of one, and tasks; both can be pickled, as
they may cross to other processes (nothing of that is ever stored). The function is given its task and a `Report`.
Whichever engine runs it, the same answers come back in the same order, so a stage that sums them up does so in the
tasks' order and gives the same result everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from avterm.engine.ahead import allow_threads
from avterm.errors import Problem
from avterm.progress import Progress, Step

RETRIES = 3  # how often a task is begun again after its worker was lost
Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Report(Protocol):
    """What work says while it is under way: how many more units are done, and what was left out."""

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""

    def problem(self, problem: Problem) -> None:
        """Something was left out; the rest goes on."""


Work = Callable[[Task, Report], Answer]


class Engine(Protocol):
    """Where work is done."""

    def map(
        self, work: Work[Task, Answer], tasks: Sequence[Task], report: Report, gpu: bool = False
    ) -> Iterator[Answer]:
        """`work` of every task, in the tasks' order; a bounded number of answers waits to be taken.

        What `work` raises is raised here when its task's turn comes. A task whose worker was lost is begun again;
        AvtermError where that happens over and over. gpu: whether the work runs a network, and wants a GPU if any.
        """


class Here:
    """In this process, one task after the other; work has all its threads."""

    def map(
        self, work: Work[Task, Answer], tasks: Sequence[Task], report: Report, gpu: bool = False
    ) -> Iterator[Answer]:
        """As `Engine.map`; `report` hears of every unit as it is done."""
        for task in tasks:
            yield work(task, report)


HERE = Here()


@dataclass(frozen=True)
class Told:
    """A report that a stage's step and hook listen to."""

    step: Step
    progress: Progress

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""
        self.step.advance(amount)

    def problem(self, problem: Problem) -> None:
        """Something was left out."""
        self.progress.problem(problem)


class Unheard:
    """A report that nobody listens to."""

    def advance(self, amount: int = 1) -> None:
        """Say nothing."""

    def problem(self, problem: Problem) -> None:
        """Say nothing."""


UNHEARD = Unheard()


@dataclass
class Kept:
    """A report kept in another process until its answer comes back."""

    done: int = 0
    problems: list[Problem] = field(default_factory=list)

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""
        self.done += amount

    def problem(self, problem: Problem) -> None:
        """Something was left out."""
        self.problems.append(problem)

    def tell(self, report: Report) -> None:
        """Pass on everything."""
        for problem in self.problems:
            report.problem(problem)
        if self.done:
            report.advance(self.done)


def apart(work: Work[Task, Answer], task: Task, threads: int) -> tuple[Answer, Kept]:
    """What a worker runs: the answer, and what was reported meanwhile; `threads` at most."""
    allow_threads(threads)
    kept = Kept()
    return work(task, kept), kept
