"""Groups of captions of like length: each once, none too large, no more padding than in any group of its size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from avterm.engine.together import together


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 8), st.integers(1, 900))
def test_every_caption_once_and_every_group_within_both_limits(lengths: list[int], captions: int, frames: int) -> None:
    groups = together(np.array(lengths, np.int64), captions, frames)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) <= captions
        assert len(group) == 1 or len(group) * max(lengths[place] for place in group) <= frames
    inside = [lengths[place] for group in groups for place in group]
    assert inside == sorted(lengths)
