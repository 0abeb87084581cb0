"""Whether the grounded box is where the word's thing is, and the segment where the word is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avterm.corpus.boxes import TrueBox
from avterm.corpus.words import Word

TOLERANCE = 0.1  # seconds, for word boundaries


@dataclass(frozen=True)
class Located:
    """One grounding against the truth. word: of the true box with the best IOU; None where no box is known."""

    word: str | None
    pointing: bool
    iou: float
    borders: tuple[bool, bool] | None  # start, end within 100 ms of the best-overlapping word's; None: none overlaps


def locate(
    box: np.ndarray, segment: tuple[float, float], label: str, boxes: Sequence[TrueBox], words: Sequence[Word]
) -> Located:
    """box: (4,) pixels; segment: start and end in seconds; label: the segment's words.

    Pointing: the centre of the box lies within a true box of a word of the label. IOU: with the best such box.
    """
    spoken = set(label.split())
    named = [b for b in boxes if b.word in spoken]
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    pointing = any(b.box[0] <= centre_x <= b.box[2] and b.box[1] <= centre_y <= b.box[3] for b in named)
    overlaps = [_iou(box, b.box) for b in named]
    best = int(np.argmax(overlaps)) if overlaps else -1
    return Located(
        named[best].word if named else None, pointing, overlaps[best] if named else 0.0, _bounded(segment, words)
    )


def _iou(a: np.ndarray, b: tuple[float, float, float, float]) -> float:
    across = max(0.0, min(float(a[2]), b[2]) - max(float(a[0]), b[0]))
    down = max(0.0, min(float(a[3]), b[3]) - max(float(a[1]), b[1]))
    both = across * down
    return both / (float((a[2] - a[0]) * (a[3] - a[1])) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _bounded(segment: tuple[float, float], words: Sequence[Word]) -> tuple[bool, bool] | None:
    overlaps = [min(segment[1], w.end) - max(segment[0], w.start) for w in words]
    if not overlaps or max(overlaps) <= 0:
        return None
    word = words[int(np.argmax(overlaps))]
    within = TOLERANCE + 1e-9  # 0.4 - 0.3 is more than 0.1
    return abs(segment[0] - word.start) <= within, abs(segment[1] - word.end) <= within
