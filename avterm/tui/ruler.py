"""The lines of text under a spectrogram: words at their times, in the colours of the segments that hold them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from avterm import units
from avterm.errors import printable
from avterm.tui.drawing import Mark
from avterm.tui.media import Spoken
from avterm.tui.widgets.table import fit


def word_line(words: Sequence[Spoken], span: tuple[int, int], width: int, marks: Sequence[Mark]) -> Text:
    """Words under their time, `span` frames over `width` cells; one that would touch its neighbour is left out,
    those in marked segments first."""
    start, end = span
    scale = width / max(end - start, 1)
    placed: list[tuple[int, str, str]] = []
    taken = [False] * (width + 1)
    ranked = sorted(words, key=lambda w: (_strength(w, marks), w.start))
    for word in ranked:
        text = printable(word.word[:40])
        length = cell_len(text)
        middle = (word.start + word.end) / 2 * units.FRAMES_PER_SECOND
        if not text or not start <= middle < end or length > width:
            continue
        left = max(0, min(round((middle - start) * scale - length / 2), width - length))
        if any(taken[max(left - 1, 0) : left + length + 1]):
            continue
        taken[left : left + length] = [True] * length
        placed.append((left, text, _style(word, marks)))
    line, at = Text(no_wrap=True), 0
    for left, text, style in sorted(placed):
        line.append(" " * (left - at))
        line.append(text, style)
        at = left + cell_len(text)
    return line


def time_line(span: tuple[int, int], width: int) -> Text:
    """The time in seconds at both ends and in the middle."""
    left, right = (f"{units.seconds_in(frame):.1f}" for frame in span)
    middle = f"{units.seconds_in(sum(span) / 2):.1f} s"
    spare = max(width - len(left) - len(right), 1)
    return Text(left + (fit(middle.center(spare), spare) if spare > len(middle) else " " * spare) + right, "dim")


def _style(word: Spoken, marks: Sequence[Mark]) -> str:
    mark = _holder(word, marks)
    if mark is None:
        return "dim"
    return f"bold {mark.colour}" if mark.strong else mark.colour


def _strength(word: Spoken, marks: Sequence[Mark]) -> int:
    mark = _holder(word, marks)
    return 2 if mark is None else 0 if mark.strong else 1


def _holder(word: Spoken, marks: Sequence[Mark]) -> Mark | None:
    """The mark that holds at least 30% of the word (section 5), the largest share first."""
    start, end = word.start * units.FRAMES_PER_SECOND, word.end * units.FRAMES_PER_SECOND
    shares = [(min(end, m.end) - max(start, m.start)) / max(end - start, 1e-9) for m in marks]
    best = max(range(len(marks)), key=lambda i: shares[i], default=None)
    return marks[best] if best is not None and shares[best] >= 0.3 else None
