"""What a terminal is asked, and what its answers mean."""

from __future__ import annotations

import os
import pty
import threading
import time

import pytest

from avterm.tui import graphics
from avterm.tui.graphics import QUESTIONS, Graphics, ask, understood

KITTY = b"\x1b_Gi=31;OK\x1b\\"


@pytest.mark.parametrize(("answer", "expected"), [
    (b"", Graphics("halfcell", None)),
    (b"\x1b[?62;22c", Graphics("halfcell", None)),
    (b"\x1b[?62;4;22c", Graphics("sixel", None)),
    (b"\x1b[?64;24c", Graphics("halfcell", None)),  # 4 within a number is not Sixel
    (KITTY + b"\x1b[6;20;10t\x1b[?62c", Graphics("kitty", (10, 20))),
    (KITTY + b"\x1b[6;18;9t\x1b[?62;4c", Graphics("sixel", (9, 18))),
    (b"\x1b_Gi=31;EINVAL\x1b\\\x1b[?62c", Graphics("halfcell", None)),
    (b"\x1b[6;0;0t\x1b[?62c", Graphics("halfcell", None)),
    (b"jjq" + KITTY + b"k\x1b[?62c", Graphics("kitty", None)),  # keys typed meanwhile
])  # fmt: skip
def test_answers(answer, expected):
    assert understood(answer) == expected


def test_a_terminal_that_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(graphics, "PATIENCE", 60.0)
    ours, theirs = pty.openpty()
    asked = []

    def terminal():
        seen = b""
        while QUESTIONS not in seen:
            seen += os.read(ours, 100)
        asked.append(seen)
        for piece in (KITTY[:4], KITTY[4:] + b"\x1b[6;20;", b"10t\x1b[?6", b"2c"):
            os.write(ours, piece)

    thread = threading.Thread(target=terminal, daemon=True)
    thread.start()
    begin = time.monotonic()
    assert ask(theirs, theirs) == Graphics("kitty", (10, 20))
    assert time.monotonic() - begin < 30  # not the patience that is for those who do not answer
    thread.join(10)
    assert asked == [QUESTIONS]
    os.close(ours)
    os.close(theirs)


def test_a_terminal_that_says_nothing_draws_half_blocks(monkeypatch):
    monkeypatch.setattr(graphics, "PATIENCE", 0.01)
    ours, theirs = pty.openpty()
    assert ask(theirs, theirs) == Graphics("halfcell", None)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(("given", "settled"), [("auto", "sixel"), ("kitty", "kitty"), ("halfcell", "halfcell")])
def test_only_auto_is_decided_by_the_terminal(monkeypatch, given, settled):
    monkeypatch.setattr(graphics, "ask", lambda keys, screen: Graphics("sixel", (7, 15)))
    monkeypatch.setattr(graphics._terminal, "capture_terminal_response", None)
    monkeypatch.setattr(graphics._terminal.get_cell_size, "_result", (1, 1), raising=False)
    assert graphics.settle(given) == settled
    if given != "halfcell":
        assert graphics._terminal.get_cell_size() == (7, 15)
    with pytest.raises(graphics._terminal.TerminalError), graphics._terminal.capture_terminal_response("a", "b"):
        pass
