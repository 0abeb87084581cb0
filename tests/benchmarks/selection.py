"""Selection for 738 boxes and 573 segments, scores given, against the literal walk of section 4."""

from __future__ import annotations

import numpy as np

from avterm.config import GroundingConfig
from avterm.grounding.proposals import box_proposals, segment_proposals, silence_shares
from avterm.grounding.selection import select
from tests.benchmarks.rows import Row, best_time

CONFIG = GroundingConfig()


def rows() -> list[Row]:
    """A hundred times as fast, with the same result."""
    rng = np.random.default_rng(0)
    segments, boxes = segment_proposals(1024, CONFIG), len(box_proposals(224, 224, CONFIG))
    # Smooth over time, as scores are: neighbouring segments hold nearly the same sound.
    scores = np.stack([np.convolve(rng.normal(size=1024), np.ones(50), "valid")[segments[:, 0]] for _ in range(boxes)])
    scores = np.ascontiguousarray(scores.T, dtype=np.float32)
    silence = silence_shares((rng.random(1024) < 0.8).astype(np.uint8), segments)
    found, expected = select(scores, segments, silence, CONFIG), literal(scores, segments, silence)
    if list(zip(found.segment, found.box, strict=True)) != expected:
        raise ValueError("selection differs from the literal walk")
    ours = best_time(lambda: select(scores, segments, silence, CONFIG), 50)
    theirs = best_time(lambda: literal(scores, segments, silence), 3)
    note = f"same {len(expected)} of {scores.size} candidates"
    return [
        Row(f"selection, {boxes} boxes x {len(segments)} segments", "literal walk, NumPy", ours, theirs, theirs / ours,
            100.0, True, note)
    ]  # fmt: skip


def literal(scores: np.ndarray, segments: np.ndarray, silence: np.ndarray) -> list[tuple[int, int]]:
    """Sort every candidate, walk down; (segment, box) of those kept."""
    heard = np.flatnonzero(silence < np.float32(CONFIG.max_silence))
    flat = scores[heard].ravel()
    kept: list[tuple[int, int]] = []
    starts, stops = np.empty(0, np.int64), np.empty(0, np.int64)
    top = np.float32(0)
    for candidate in np.argsort(-flat, kind="stable"):
        score, segment = flat[candidate], heard[candidate // scores.shape[1]]
        if score <= 0 or len(kept) == CONFIG.max_kept or score < top * np.float32(CONFIG.min_relative):
            break
        start, stop = segments[segment]
        inner = np.minimum(stop, stops) - np.maximum(start, starts)
        outer = np.maximum(stop, stops) - np.minimum(start, starts)
        if (np.maximum(inner, 0) / outer > CONFIG.max_overlap).any():
            continue
        top = top if kept else score
        kept.append((int(segment), int(candidate % scores.shape[1])))
        starts, stops = np.append(starts, start), np.append(stops, stop)
    return kept
