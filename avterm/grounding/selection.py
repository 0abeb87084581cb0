"""Selection (section 4): which box and segment pairs of one caption and picture are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from avterm_kernels.selection import best_boxes, select_segments
from torch import Tensor

from avterm.config import GroundingConfig

_AT_ONCE = 1 << 20  # scores that are held at a time, so that memory stays flat for captions of any length


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
    return select_best(*best_boxes(scores), segments, silence, config)


def select_best(
    box: np.ndarray, score: np.ndarray, segments: np.ndarray, silence: np.ndarray, config: GroundingConfig
) -> Selection:
    """The same where each segment's best box (segments,) and its score (segments,) are known."""
    kept = select_segments(
        segments, score, silence, config.max_silence, config.max_overlap, config.min_relative, config.max_kept
    )
    return Selection(kept, box[kept], score[kept])


def score_segments(speech: Tensor, image: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(segments, D) and (boxes, D) embeddings → int64 (segments,) the best box of each, float32 (segments,) its score.

    The inner product of every pair, by blocks of segments whose scores are still in the cache when their maximum is
    taken. Ties go to the lower box; NaN never wins. Where embeddings lie on a GPU, only the two results leave it.
    """
    box, score = np.zeros(len(speech), np.int64), np.full(len(speech), -np.inf, np.float32)
    if not len(image):
        return box, score
    rows = max(_AT_ONCE // len(image), 1)
    buffer = torch.empty(min(rows, len(speech)), len(image), dtype=speech.dtype, device=speech.device)
    for start in range(0, len(speech), rows):
        part = speech[start : start + rows]
        scores = torch.mm(part, image.T, out=buffer[: len(part)])
        stop = start + len(part)
        if scores.device.type == "cpu":
            box[start:stop], score[start:stop] = best_boxes(scores.float().numpy())
        else:
            value, place = scores.float().nan_to_num_(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf).max(1)
            box[start:stop], score[start:stop] = place.cpu().numpy(), value.cpu().numpy()
    return box, score
