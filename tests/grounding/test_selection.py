"""Proposals count as in the paper; selection equals the literal algorithm of section 4."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.config import GroundingConfig
from avterm.grounding.proposals import box_proposals, segment_proposals, silence_shares
from avterm.grounding.selection import score_segments, select

PAPER = GroundingConfig()


@pytest.mark.parametrize(
    ("width", "height", "count"),
    [
        (224, 224, 738), (400, 300, 657), (300, 400, 657), (600, 400, 663), (400, 600, 663), (500, 375, 657),
        (1600, 900, 482), (2000, 1000, 415), (300, 100, 168),
    ],
)  # fmt: skip
def test_boxes_of_the_paper(width: int, height: int, count: int) -> None:
    boxes = box_proposals(width, height, PAPER)
    assert len(boxes) == count
    assert (boxes[:, 2:] - boxes[:, :2] >= 3).all()
    sides = (boxes[:, 2:] - boxes[:, :2]) * [width, height]
    assert (2 * sides.max(1) <= 3 * sides.min(1)).all()


@pytest.mark.parametrize(("frames", "count"), [(0, 0), (49, 0), (50, 1), (59, 1), (100, 21), (1000, 561), (1024, 573)])
def test_segments_of_the_paper(frames: int, count: int) -> None:
    segments = segment_proposals(frames, PAPER)
    assert len(segments) == count
    assert not len(segments) or segments.max() <= frames


def literal(scores: np.ndarray, segments: np.ndarray, silence: np.ndarray, config: GroundingConfig) -> list[tuple]:
    """Section 4 word for word: sort every candidate, walk down."""
    candidates = [
        (-scores[s, b], s, b)
        for s in range(scores.shape[0])
        for b in range(scores.shape[1])
        if np.float32(silence[s]) < np.float32(config.max_silence) and not np.isnan(scores[s, b])
    ]
    kept: list[tuple] = []
    for negative, s, b in sorted(candidates):
        score = -negative
        if len(kept) == config.max_kept or score <= 0:
            break
        if kept and score < kept[0][2] * np.float32(config.min_relative):
            break
        overlaps = []
        for other, _, _ in kept:
            inner = min(segments[s, 1], segments[other, 1]) - max(segments[s, 0], segments[other, 0])
            outer = max(segments[s, 1], segments[other, 1]) - min(segments[s, 0], segments[other, 0])
            overlaps.append(max(inner, 0) / outer)
        if all(o <= config.max_overlap for o in overlaps):
            kept.append((s, b, score))
    return kept


@given(st.integers(0, 230), st.integers(1, 9), st.integers(0, 10_000), st.sampled_from([2, 5, 1000]))
@settings(max_examples=80, deadline=None)
def test_selection_is_the_literal_algorithm(frames: int, boxes: int, seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    segments = segment_proposals(frames, PAPER)
    scores = (rng.integers(-levels // 2, levels, (len(segments), boxes)) / levels).astype(np.float32)
    scores[rng.random(scores.shape) < 0.05] = np.nan
    silence = silence_shares(rng.integers(0, 2, frames).astype(np.uint8), segments)
    config = dataclasses.replace(
        PAPER, max_kept=int(rng.integers(0, 11)), max_silence=float(rng.choice([0.4, 0.5, 0.6]))
    )
    found = select(scores, segments, silence, config)
    assert list(zip(found.segment, found.box, found.score, strict=True)) == literal(scores, segments, silence, config)


def test_silence_is_the_share_of_quiet_frames() -> None:
    active = np.array([1] * 30 + [0] * 40 + [1] * 30, np.uint8)
    shares = silence_shares(active, np.array([[0, 50], [20, 80], [30, 70]]))
    np.testing.assert_allclose(shares, [0.4, 40 / 60, 1.0])


@given(st.integers(1, 40), st.integers(0, 9), st.integers(1, 64), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_best_box_by_blocks_is_the_best_of_all(segments: int, boxes: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    speech = torch.from_numpy(rng.integers(-2, 3, (segments, 3)).astype(np.float32))
    image = torch.from_numpy(rng.integers(-2, 3, (boxes, 3)).astype(np.float32))
    speech[rng.random(segments) < 0.1] = float("nan")
    image[rng.random(boxes) < 0.1] = float("nan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("avterm.grounding.selection._AT_ONCE", block)
        box, score = score_segments(speech, image)
    for s in range(segments):
        values = [float(speech[s] @ image[b]) for b in range(boxes)]
        best = max((v for v in values if not np.isnan(v)), default=-np.inf)
        assert score[s] == best
        assert box[s] == (values.index(best) if best > -np.inf else 0)


def test_ratios_on_the_border_count_whatever_the_size() -> None:
    for width, height in [(500, 375), (4000, 3000), (640, 480), (1, 1), (3, 2), (6000, 4000), (1999, 1000)]:
        expected = 0
        for w in range(3, 11):
            for h in range(3, 11):
                across, down = w * width, h * height
                expected += (11 - w) * (11 - h) * (2 * across <= 3 * down and 2 * down <= 3 * across)
        assert len(box_proposals(width, height, PAPER)) == expected


def test_proposals_come_in_their_stated_order() -> None:
    boxes = box_proposals(640, 480, PAPER)
    assert boxes[:, [0, 2, 1, 3]].tolist() == sorted(boxes[:, [0, 2, 1, 3]].tolist())
    segments = segment_proposals(317, PAPER)
    assert segments.tolist() == sorted(segments.tolist())
    with pytest.raises(ValueError, match="read-only"):
        boxes[0] = 0


def test_nothing_is_kept_of_nothing() -> None:
    for shape in [(0, 0), (0, 5), (3, 0)]:
        found = select(np.zeros(shape, np.float32), np.zeros((shape[0], 2)), np.zeros(shape[0]), PAPER)
        assert len(found.segment) == 0
    with pytest.raises(ValueError, match="as many segments as scores"):
        select(np.zeros((2, 2), np.float32), np.zeros((3, 2)), np.zeros(2), PAPER)
