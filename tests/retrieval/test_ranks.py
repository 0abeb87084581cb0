"""Ranks in chunks against the full sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.retrieval.ranks import Recall, ranks


def naive(scores: np.ndarray, own: np.ndarray) -> tuple[list[int], list[int]]:
    search = [list(np.argsort(-row, kind="stable")).index(own[i]) for i, row in enumerate(scores)]
    annotation = []
    for picture in range(scores.shape[1]):
        mine = np.flatnonzero(own == picture)
        if len(mine):
            best = mine[np.argmax(scores[mine, picture])]
            rivals = [i for i in range(len(scores)) if i == best or own[i] != picture]
            order = sorted(rivals, key=lambda i: (-scores[i, picture], i))
            annotation.append(order.index(best))
    return search, annotation


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 5), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_chunks_equal_the_full_sort(captions: int, pictures: int, chunk: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (captions, pictures)).astype(np.float32)  # ties are common
    own = rng.integers(0, pictures, captions)
    search, annotation = ranks(scores, own, chunk)
    assert (search.tolist(), annotation.tolist()) == naive(scores, own)


def test_recall_of_ranks() -> None:
    found = Recall.of(np.array([0, 1, 5, 20]))
    assert (found.r1, found.r5, found.r10, found.median_rank) == (0.25, 0.5, 0.75, 4.0)
