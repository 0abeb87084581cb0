"""How a stage says where it stands: a hook that a bar, a log and the terminal app all subscribe to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from avterm.errors import Problem


class Step(Protocol):
    """A stretch of work under way."""

    def advance(self, amount: int = 1, **figures: float) -> None:
        """`amount` more units are done; `figures` (loss, recall …) are shown beside the rate."""


class Progress(Protocol):
    """What stages report to. Every stage takes one and works without (`Silent`)."""

    def step(self, name: str, total: int | None, unit: str = "pairs", done: int = 0) -> AbstractContextManager[Step]:
        """Begin a stretch of `total` units, `done` of them already there from an earlier run."""

    def note(self, message: str) -> None:
        """One line worth reading now."""

    def problem(self, problem: Problem) -> None:
        """Something was left out; the rest goes on."""


class _SilentStep:
    def advance(self, amount: int = 1, **figures: float) -> None:
        """Say nothing."""


class Silent:
    """The hook that says nothing, and keeps the problems for whoever asks."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @contextmanager
    def step(self, name: str, total: int | None, unit: str = "pairs", done: int = 0) -> Iterator[Step]:
        """A stretch of work that nobody watches."""
        yield _SilentStep()

    def note(self, message: str) -> None:
        """Say nothing."""

    def problem(self, problem: Problem) -> None:
        """Keep the problem in `problems`."""
        self.problems.append(problem)
