"""Borders that follow the score: planted words are found, silence is never entered, nothing moves too far."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from avterm.grounding.borders import SHORTEST, refine_borders

STRIDE = 4
BOX = torch.tensor([[1.0, 0.0]])


def curve(high: list[tuple[int, int]], length: int = 200) -> torch.Tensor:
    """(length / STRIDE, 2) output frames that score 1 with BOX within the spans of mel frames, 0 elsewhere."""
    frames = torch.zeros(length // STRIDE, 2)
    for start, stop in high:
        frames[start // STRIDE : stop // STRIDE, 0] = 1.0
    return frames


def refined(high: list[tuple[int, int]], active: list[tuple[int, int]], segment: tuple[int, int]) -> tuple[int, int]:
    speech = np.zeros(200, np.uint8)
    for start, stop in active:
        speech[start:stop] = 1
    found = refine_borders(curve(high), STRIDE, speech, np.array([segment]), BOX)
    return int(found[0, 0]), int(found[0, 1])


def test_the_ends_follow_the_score() -> None:
    start, stop = refined([(80, 120)], [(0, 200)], (70, 140))
    assert abs(start - 80) <= STRIDE
    assert abs(stop - 120) <= STRIDE


def test_the_peak_is_looked_for_where_there_is_speech() -> None:
    # The score is as high in the silence before the word as on it, and first there.
    assert refined([(40, 140)], [(80, 120)], (40, 110)) == (80, 120)


def test_silence_ends_a_word_where_the_score_does_not() -> None:
    assert refined([(0, 200)], [(60, 100), (110, 160)], (50, 110)) == (60, 100)


def test_ends_move_no_farther_than_the_reach() -> None:
    assert refined([(0, 200)], [(0, 200)], (80, 100)) == (60, 120)


def test_what_cannot_be_refined_stays() -> None:
    assert refined([(80, 120)], [], (70, 140)) == (70, 140), "no speech at all"
    assert refined([(80, 120)], [(100, 105)], (70, 140)) == (70, 140), "shorter than any word"


@given(
    st.integers(0, 5),
    st.lists(st.integers(0, 1), min_size=120, max_size=120),
    st.lists(st.tuples(st.integers(0, 80), st.integers(SHORTEST, 40)), min_size=1, max_size=4),
)
def test_any_curve(seed: int, active: list[int], segments: list[tuple[int, int]]) -> None:
    random = torch.Generator().manual_seed(seed)
    spans = np.array([(a, a + size) for a, size in segments])
    frames, boxes = torch.randn(30, 3, generator=random), torch.randn(len(spans), 3, generator=random)
    found = refine_borders(frames, STRIDE, np.array(active, np.uint8), spans, boxes)
    assert ((found[:, 1] - found[:, 0]) >= SHORTEST).all()
    assert (found >= 0).all()
    assert (found <= 120).all()
    assert (np.abs(found - spans) <= 20 + 40).all()  # the reach outwards, and a segment's own length inwards
