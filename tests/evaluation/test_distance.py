"""Edit distances of many pairs against the textbook's table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.evaluation import distance
from avterm.evaluation.distance import Spellings, normalised_distances
from tests.evaluation.test_grouping import edits


def test_known_words() -> None:
    words = Spellings(["kitten", "sitting", "", "", "kitten"])
    found = normalised_distances(words, np.array([0, 0, 2, 2, 0]), np.array([1, 2, 3, 0, 4]))
    assert found.tolist() == [3 / 7, 1.0, 1.0, 1.0, 0.0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "long name"]), max_size=7), min_size=1, max_size=6))
def test_equal_to_a_table_for_each_pair(words: list[list[str]]) -> None:
    first, second = (side.ravel() for side in np.indices((len(words), len(words))))
    found = normalised_distances(Spellings(words), first, second)
    assert np.allclose(found, [edits(words[a], words[b]) for a, b in zip(first, second, strict=True)])


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Spellings(["abc", "abd", "xyz", "a"])
    first, second = (side.ravel() for side in np.indices((4, 4)))
    whole = normalised_distances(words, first, second)
    monkeypatch.setattr(distance, "_AT_A_TIME", 3)
    assert np.array_equal(normalised_distances(words, first, second), whole)
    assert normalised_distances(words, first[:0], second[:0]).shape == (0,)
