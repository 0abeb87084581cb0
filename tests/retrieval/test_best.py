"""The best of many scores, against a full sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.retrieval.best import Best


@given(st.lists(st.integers(-3, 3) | st.just(None), max_size=40), st.integers(1, 9), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_as_a_full_sort(values: list[int | None], most: int, chunk: int) -> None:
    scores = np.array([np.nan if v is None else v for v in values], np.float32)
    best = Best(most)
    for start in range(0, len(scores), chunk):
        rows = np.arange(start, min(start + chunk, len(scores)))[::-1]
        best.add(rows, scores[rows], rows * 2)
    known = [i for i in range(len(scores)) if values[i] is not None]
    assert best.rows.tolist() == sorted(known, key=lambda i: (-scores[i], i))[:most]
    assert best.scores.tolist() == [float(scores[i]) for i in best.rows]
    assert best.extra.tolist() == [2 * i for i in best.rows]
