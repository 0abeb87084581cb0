"""Selection (section 4): which box and segment pairs of one caption and picture are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from avterm_kernels.selection import best_boxes, select_segments

from avterm.config import GroundingConfig


@dataclass(frozen=True)
class Selection:
    """What is kept, best first: indices of segments and of their boxes, and the scores."""

    segment: np.ndarray  # int64 (kept,)
    box: np.ndarray  # int64 (kept,)
    score: np.ndarray  # float32 (kept,)


def select(scores: np.ndarray, segments: np.ndarray, silence: np.ndarray, config: GroundingConfig) -> Selection:
    """float32 (segments, boxes) scores, int64 (segments, 2), float32 (segments,) share of silence → what is kept.

    Section 4 walks down all box and segment pairs; as a segment is always taken with its best box, one maximum over
    the boxes and a walk over the segments give the same (tests/grounding compares with the literal walk).
    """
    box, value = best_boxes(scores)
    kept = select_segments(
        segments, value, silence, config.max_silence, config.max_overlap, config.min_relative, config.max_kept
    )
    return Selection(kept, box[kept], value[kept])
