"""Praat TextGrid files."""

from __future__ import annotations

from collections.abc import Sequence

from avterm.export.tiers import Interval, Tier


def textgrid(tiers: Sequence[Tier], end: float) -> str:
    """The text of a TextGrid (long form, UTF-8) of `end` seconds; gaps become intervals without text."""
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_time(end)}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, tier in enumerate(tiers, 1):
        intervals = _filled(tier.intervals, end)
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(tier.name)}",
            "        xmin = 0",
            f"        xmax = {_time(end)}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start, stop, text) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {_time(start)}",
                f"            xmax = {_time(stop)}",
                f"            text = {_quoted(text)}",
            ]
    return "\n".join(lines) + "\n"


def _filled(intervals: Sequence[Interval], end: float) -> list[Interval]:
    """The intervals with the gaps between them: Praat wants every moment covered."""
    filled: list[Interval] = []
    now = 0.0
    for start, stop, text in intervals:
        if start > now:
            filled.append((now, start, ""))
        filled.append((start, stop, text))
        now = stop
    if now < end or not filled:
        filled.append((now, end, ""))
    return filled


def _time(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") or "0"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
