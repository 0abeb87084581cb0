"""The terminal that the app draws on, kept clean of what C libraries write to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def interactive() -> bool:
    """Whether there is a terminal to draw on and keys to read."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """While this lasts, only Python reaches the terminal through stderr.

    ALSA and its like report a missing sound card straight to file descriptor 2, into the middle of the screen. The
    app itself draws through sys.__stderr__, which keeps the terminal under another descriptor.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    before = sys.__stderr__
    os.dup2(nowhere, 2)
    os.close(nowhere)
    stream = os.fdopen(terminal, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.__stderr__ = stream  # type: ignore[misc]
    try:
        yield
    finally:
        stream.flush()
        sys.__stderr__ = before  # type: ignore[misc]
        os.dup2(terminal, 2)
        os.close(terminal)
