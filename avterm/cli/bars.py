"""Progress on a terminal: Rich bars with the rate, the time left and the figures of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from avterm.errors import Problem, printable


class RichProgress:
    """The progress hook of a terminal. Bars of finished steps stay, so that the whole story can be read."""

    def __init__(self, named: bool = True) -> None:
        """named: whether what is left out is named above the bars."""
        self.named = named
        self.console = Console(stderr=True, highlight=False)
        self.problems: list[Problem] = []
        self._bars: Progress | None = None

    @contextmanager
    def step(self, name: str, total: int | None, unit: str = "pairs", done: int = 0) -> Iterator[_RichStep]:
        """A bar; steps inside steps share one display."""
        outer = self._bars
        bars = outer or Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self.console,
        )
        self._bars = bars
        task = bars.add_task(printable(name), total=total, completed=done, rate="", figures="")
        try:
            if outer is None:
                with bars:
                    yield _RichStep(bars, task, unit, done)
            else:
                yield _RichStep(bars, task, unit, done)
        finally:
            self._bars = outer

    def note(self, message: str) -> None:
        """A line above the bars."""
        self.console.print(Text(printable(message)))

    def problem(self, problem: Problem) -> None:
        """Keep the problem, and name it above the bars."""
        self.problems.append(problem)
        if self.named:
            self.console.print(Text(f"left out {problem}", style="yellow"))


class _RichStep:
    def __init__(self, bars: Progress, task: TaskID, unit: str, done: int) -> None:
        self.bars, self.task, self.unit, self.start = bars, task, unit, done

    def advance(self, amount: int = 1, **figures: float) -> None:
        self.bars.advance(self.task, amount)
        task = self.bars.tasks[self.bars.task_ids.index(self.task)]
        spent = task.elapsed or 0.0
        rate = f"{(task.completed - self.start) / spent:.1f} {self.unit}/s" if spent > 0 else ""
        text = "  ".join(f"{k} {v:.3f}" for k, v in figures.items())
        self.bars.update(self.task, rate=rate)
        if figures:
            self.bars.update(self.task, figures=text)
