"""Proposals (section 4): boxes on a 10 × 10 grid over the picture, segments on a 10-frame grid over the caption."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np

from avterm.config import GroundingConfig


def box_proposals(width: int, height: int, config: GroundingConfig) -> np.ndarray:
    """int64 (boxes, 4): grid lines x0 y0 x1 y1 (0 … grid) of every box that section 4 allows in a picture of this size.

    Each side at least `min_side` of the picture's, width to height in pixels between 1 / max_aspect and max_aspect,
    ends allowed. Exact arithmetic, so that 2:3 is 2:3. Ordered by x0, x1, y0, y1; that order settles ties.
    A 4:3 picture has 657, a square one 738; the constraints cannot give more than 1,296, whatever the shape.
    """
    aspect = Fraction(width, height)
    return _boxes(aspect.numerator, aspect.denominator, config.grid, config.min_side, config.max_aspect)


@lru_cache(maxsize=256)
def _boxes(across: int, down: int, grid: int, min_side: float, max_aspect: float) -> np.ndarray:
    least = Fraction(min_side).limit_denominator(1000) * grid
    limit = Fraction(max_aspect).limit_denominator(1000)
    spans = [(a, b) for a in range(grid) for b in range(a + 1, grid + 1) if b - a >= least]
    allowed = {
        (w, h)
        for w in range(1, grid + 1)
        for h in range(1, grid + 1)
        if 1 / limit <= Fraction(w * across, h * down) <= limit
    }
    boxes = [(x0, y0, x1, y1) for x0, x1 in spans for y0, y1 in spans if (x1 - x0, y1 - y0) in allowed]
    table = np.array(boxes, np.int64).reshape(-1, 4)
    table.setflags(write=False)
    return table


def segment_proposals(frames: int, config: GroundingConfig) -> np.ndarray:
    """int64 (segments, 2): first frame and the frame after the last, of every segment that fits into the caption.

    Both ends on the `segment_step` grid, `segment_min` to `segment_max` frames long. Ordered by start, then end; that
    order settles ties. 1,000 frames have 561, 1,024 have 573, under `segment_min` none.
    """
    return _segments(frames // config.segment_step, config.segment_step, config.segment_min, config.segment_max)


@lru_cache(maxsize=1024)
def _segments(points: int, step: int, shortest: int, longest: int) -> np.ndarray:
    lengths = range(-(-shortest // step), longest // step + 1)
    table = np.array(
        [(a * step, (a + n) * step) for a in range(points) for n in lengths if a + n <= points], np.int64
    ).reshape(-1, 2)
    table.setflags(write=False)
    return table


def silence_shares(active: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """uint8 (frames,) activity, int64 (S, 2) segments → float32 (S,): share of each segment that is silence."""
    quiet = np.concatenate([[0], np.cumsum(active == 0)])
    lengths = np.maximum(segments[:, 1] - segments[:, 0], 1)
    return ((quiet[segments[:, 1]] - quiet[segments[:, 0]]) / lengths).astype(np.float32)
