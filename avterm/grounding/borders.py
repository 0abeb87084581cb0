"""Borders that follow the score instead of the paper's 10-frame grid (past the paper)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

SHORTEST = 10  # frames


def refine_borders(
    frames: Tensor,
    stride: int,
    active: np.ndarray,
    segments: np.ndarray,
    boxes: Tensor,
    height: float = 0.8,
    reach: int = 20,
) -> np.ndarray:
    """Move both ends of each kept segment to where the box's score rises and falls.

    frames: (T', D) output frames of the speech branch, each `stride` mel frames long; active: uint8 (frames,);
    segments: int64 (S, 2); boxes: (S, D) embeddings.
    Around the peak of the score with the segment's own box, among the segment's frames that hold speech, the word
    reaches as far as the score stays above `height` of the way from the caption's median to the peak, and never into
    silence: the score itself runs on into the silence beside a word. A segment without speech stays as it is. Ends
    move at most `reach` frames outwards. Returns int64 (S, 2), at least SHORTEST frames long each.
    """
    curves = (frames @ boxes.T).T.float().cpu().numpy()  # (S, T')
    out, length = segments.copy(), len(active)
    for i, curve in enumerate(curves):
        fine = np.interp(np.arange(length), (np.arange(len(curve)) + 0.5) * stride - 0.5, curve)
        start, stop = int(segments[i, 0]), int(segments[i, 1])
        low, high = max(0, start - reach), min(length, stop + reach)
        speech = active[start:stop] > 0
        if not speech.any():
            continue
        peak = start + int(np.argmax(np.where(speech, fine[start:stop], -np.inf)))
        floor = np.median(fine)
        inside = (fine >= floor + height * (fine[peak] - floor)) & (active > 0)
        begin, end = peak, peak + 1
        while begin > low and inside[begin - 1]:
            begin -= 1
        while end < high and inside[end]:
            end += 1
        if end - begin >= SHORTEST:
            out[i] = begin, end
    return out
