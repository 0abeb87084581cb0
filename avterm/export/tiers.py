"""A caption's segments, cluster names and words as tiers, in which nothing overlaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from avterm.corpus.words import Word
from avterm.errors import printable
from avterm.export.discovered import Discovered
from avterm.store.groundings import PairGroundings
from avterm.units import seconds_in

SHORTEST = 0.001  # seconds: neither Praat nor ELAN knows an interval of no length
Interval = tuple[float, float, str]


@dataclass(frozen=True)
class Tier:
    """A named row of intervals (start s, end s, text), in order of time, none overlapping another."""

    name: str
    intervals: tuple[Interval, ...]


def lanes(name: str, intervals: Iterable[Interval]) -> list[Tier]:
    """Intervals as as few tiers as hold them without overlap: `name`, `name 2`, … At least one, possibly empty.

    Times are whole milliseconds, no interval shorter than one.
    """
    rows: list[list[Interval]] = [[]]
    for start, end, text in sorted(_whole(*interval) for interval in intervals):
        row = next((row for row in rows if not row or row[-1][1] <= start), None)
        if row is None:
            rows.append(row := [])
        row.append((start, end, text))
    return [Tier(name if not i else f"{name} {i + 1}", tuple(row)) for i, row in enumerate(rows)]


def caption_tiers(
    found: Discovered, pair: PairGroundings, clusters: np.ndarray, words: Sequence[Word] | None
) -> list[Tier]:
    """`segments` (cluster number and score), `clusters` (their names), and `words` where word times are known.

    Adaptive borders and the paper's 0.1 of overlap let segments overlap: those go to `segments 2`, `clusters 2`.
    """
    segments, names = [], []
    for (first, last), score, cluster in zip(pair.segment.tolist(), pair.score, clusters.tolist(), strict=True):
        if cluster >= 0:
            start, end = seconds_in(first), seconds_in(last)
            segments.append((start, end, f"{cluster} ({float(score):.3f})"))
            names.append((start, end, printable(found.title(cluster))))
    tiers = [*lanes("segments", segments), *lanes("clusters", names)]
    if words is not None:
        tiers += lanes("words", ((w.start, w.end, printable(w.word)) for w in words))
    return tiers


def length(pair: PairGroundings, tiers: Sequence[Tier]) -> float:
    """Seconds of the caption: its frames, or the end of the last interval, whichever is later."""
    return max([seconds_in(pair.frames), *(tier.intervals[-1][1] for tier in tiers if tier.intervals)])


def _whole(start: float, end: float, text: str) -> Interval:
    start, end = round(max(start, 0.0), 3), round(end, 3)
    return start, max(end, round(start + SHORTEST, 3)), text
