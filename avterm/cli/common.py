"""What every command shares: options, output on stdout, progress on stderr, and the count of what was left out."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from avterm.config import Overrides, parse_setting
from avterm.errors import AvtermError, Problem, UsageError, printable

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit 1 if anything had to be left out.")]
RedoOption = Annotated[bool, typer.Option("--redo", help="Replace what was computed with other settings or inputs.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Override one setting; repeatable.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]

_SHOWN = 12


@dataclass
class State:
    """The global options of this process."""

    debug: bool = False
    quiet: bool = False


state = State()


def emit(value: Any) -> None:
    """One JSON object on a line of stdout; what would move the cursor of a terminal is escaped, as JSON allows."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    if printable(text) != text:
        text = "".join(c if printable(c) == c else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(f"{text}\n")


def say(text: str = "") -> None:
    """A result on stdout, lines of text in which nothing moves the cursor of a terminal."""
    sys.stdout.write("".join(f"{printable(line)}\n" for line in text.split("\n")))


def overrides(settings: Iterable[str] | None, **named: dict[str, Any]) -> Overrides:
    """`--set` options and named options ({stage: {key: value or None}}) as overrides; None means not given."""
    merged: Overrides = {}
    for text in settings or []:
        for stage, values in parse_setting(text).items():
            merged.setdefault(stage, {}).update(values)
    for stage, values in named.items():
        given = {k: v for k, v in values.items() if v is not None}
        if given:
            merged.setdefault(stage, {}).update(given)
    return merged


def ids_from(names: list[str] | None) -> list[str] | None:
    """Ids given as arguments, or one a line on stdin for `-`."""
    if names == ["-"]:
        names = [line.rstrip("\n") for line in sys.stdin if line.strip()]
        if not names:
            raise UsageError("no ids on stdin")
    return names or None


def share(text: str | None) -> tuple[int, int] | None:
    """`I/N` as (index, count): which share of the shards this process makes."""
    if text is None:
        return None
    index, slash, count = text.partition("/")
    if not slash or not index.isdigit() or not count.isdigit() or not int(index) < int(count):
        raise UsageError(f"--shard {text!r}: expected I/N with 0 <= I < N, as in 0/4")
    return int(index), int(count)


def with_interval(row: dict[str, Any], name: str) -> str:
    """`row[name]`, a share, as text, with the interval beside it where there is one; `-` where there is no share."""
    if row[name] is None:
        return "-"
    interval = row.get(f"{name}_interval")
    return f"{row[name]:.3f}" + (f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else "")


def first_of(names: list[str]) -> str:
    """The first dozen names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def finish(problems: list[Problem], strict: bool, total: int, unit: str = "pairs") -> None:
    """Say on stderr how many were left out; with `strict` that is a failure."""
    if not problems:
        return
    kinds: dict[str, int] = {}
    for problem in problems:
        kinds[problem.kind] = kinds.get(problem.kind, 0) + 1
    summary = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    message = f"left out {len(problems)} of {total} {unit}: {summary}"
    if strict:
        raise AvtermError(f"{message} (--strict)")
    sys.stderr.write(f"avterm: {printable(message)}\n")


def end(code: int) -> NoReturn:
    """End this process with an exit code; under torchrun at once, without tearing down the interpreter.

    There, the threads of Gloo may still hold tensors, outlive the group (DistributedDataParallel keeps it), and abort a
    process whose interpreter goes away before them: with everything written, torchrun would call that a failure.
    """
    if os.environ.get("WORLD_SIZE", "1") in ("", "1"):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a reader that went away; a stream that is closed
            stream.flush()
    os._exit(code)


def reporter(named: bool = True) -> Any:
    """The progress hook for this process: a Rich bar on a terminal, plain lines in a log, nothing with --quiet.

    Without `named`, what is left out is kept and not named: for commands whose result is to list it.
    """
    if sys.stderr.isatty() and not state.quiet:
        from avterm.cli.bars import RichProgress

        return RichProgress(named)
    return PlainProgress(state.quiet, named)


class PlainProgress:
    """Progress as lines on stderr: at the start, every ten seconds, and at the end of a step."""

    def __init__(self, quiet: bool = False, named: bool = True) -> None:
        self.quiet, self.named = quiet, named
        self.problems: list[Problem] = []

    @contextmanager
    def step(self, name: str, total: int | None, unit: str = "pairs", done: int = 0) -> Iterator[_PlainStep]:
        """A step whose lines give what is done, the rate and the time left."""
        step = _PlainStep(self, name, total, unit, done)
        yield step
        step.line(final=True)

    def note(self, message: str) -> None:
        """A line on stderr."""
        if not self.quiet:
            sys.stderr.write(f"{printable(message)}\n")
            sys.stderr.flush()

    def problem(self, problem: Problem) -> None:
        """Keep the problem, and name it on stderr."""
        self.problems.append(problem)
        if self.named:
            self.note(f"left out {problem}")


class _PlainStep:
    def __init__(self, parent: PlainProgress, name: str, total: int | None, unit: str, done: int) -> None:
        self.parent, self.name, self.total, self.unit = parent, name, total, unit
        self.start, self.done, self.began = done, done, time.monotonic()
        self.last = self.began
        self.figures: dict[str, float] = {}

    def advance(self, amount: int = 1, **figures: float) -> None:
        self.done += amount
        self.figures.update(figures)
        if time.monotonic() - self.last > 10:
            self.line()

    def line(self, final: bool = False) -> None:
        self.last = time.monotonic()
        spent = max(self.last - self.began, 1e-9)
        rate = (self.done - self.start) / spent
        text = f"{self.name}: {self.done}" + (f"/{self.total}" if self.total else "") + f" {self.unit}, {rate:.1f}/s"
        if final:
            text += f", {spent:.1f} s"
        elif self.total and rate > 0:
            text += f", {(self.total - self.done) / rate:.0f} s left"
        text += "".join(f", {k} {v:.3f}" for k, v in self.figures.items())
        self.parent.note(text)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
