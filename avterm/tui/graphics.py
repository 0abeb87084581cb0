"""What the terminal can draw with, asked once and before Textual begins to read its keys.

textual-image asks by itself when it is imported: three questions one after the other, each of which a terminal that
does not know it leaves unanswered for a tenth of a second. Here all are asked in one breath, and the last is one that
every terminal answers: what has not come back by then will not come.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

from textual_image import _terminal

QUESTIONS = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c"  # Kitty's pictures? pixels a cell? and: who?
PATIENCE = 0.4  # seconds: a slow line's way there and back
KITTY = re.compile(rb"\x1b_Gi=31;OK\x1b\\")
CELL = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
WHO = re.compile(rb"\x1b\[\?([\d;]*)c")
SIXEL = b"4"  # among what a terminal says it can do


@dataclass(frozen=True)
class Graphics:
    """The terminal's best protocol (`kitty`, `sixel` or `halfcell`), and pixels a cell: (width, height), or None."""

    protocol: str
    cell: tuple[int, int] | None


def understood(answer: bytes) -> Graphics:
    """What a terminal's answer to the questions means.

    Sixel before Kitty's, as in textual-image: terminals that have both know only a part of Kitty's.
    """
    who, cell = WHO.search(answer), CELL.search(answer)
    protocol = "kitty" if KITTY.search(answer) else "halfcell"
    if who and SIXEL in who[1].split(b";"):
        protocol = "sixel"
    size = (int(cell[2]), int(cell[1])) if cell else (0, 0)
    return Graphics(protocol, size if all(size) else None)


def ask(keys: int, screen: int) -> Graphics:
    """Put the questions to the terminal: `keys` is the descriptor that it types on, `screen` that it reads from."""
    before = termios.tcgetattr(keys)
    tty.setcbreak(keys, termios.TCSANOW)  # answers neither wait for a newline nor are shown
    try:
        os.write(screen, QUESTIONS)
        answer, end = b"", time.monotonic() + PATIENCE
        while not WHO.search(answer) and select.select([keys], [], [], max(end - time.monotonic(), 0))[0]:
            more = os.read(keys, 1024)
            if not more:
                break
            answer += more
    finally:
        termios.tcsetattr(keys, termios.TCSANOW, before)
    return understood(answer)


def settle(pictures: str) -> str:
    """Find out what is needed for `--pictures`, and tell textual-image; returns the protocol that `auto` stands for.

    Call it before textual-image is imported as a whole. Half blocks are drawn without asking anything.
    """
    found = Graphics("halfcell", None)
    if pictures in ("auto", "kitty", "sixel") and sys.__stdin__ is not None and sys.__stdout__ is not None:
        found = ask(sys.__stdin__.fileno(), sys.__stdout__.fileno())
    width, height = found.cell or _cell_by_kernel() or (10, 20)
    _terminal.get_cell_size._result = _terminal.CellSize(width, height)  # type: ignore[attr-defined]
    _terminal.capture_terminal_response = _unasked
    return found.protocol if pictures == "auto" else pictures


def _cell_by_kernel() -> tuple[int, int] | None:
    """Pixels a cell as the terminal told the kernel; None where it did not."""
    try:
        told = fcntl.ioctl(sys.__stdout__.fileno() if sys.__stdout__ is not None else 1, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, wide, high = struct.unpack("HHHH", told)
    size = (wide // columns, high // rows) if rows and columns else (0, 0)
    return size if all(size) else None


@contextmanager
def _unasked(start_marker: str, end_marker: str, timeout: float | None = None) -> Iterator[SimpleNamespace]:
    """In place of textual-image's own way of asking."""
    raise _terminal.TerminalError("asked already")
    yield SimpleNamespace()
