"""The parts of a step of k-means against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from avterm_kernels.lloyd import distances, move, nearest, settle
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(1, 150), st.integers(0, 999))
def test_nearest_is_argmin_and_the_second(count: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    products = rng.integers(-4, 5, (count, k)).astype(np.float32)  # many ties
    half, norms = rng.integers(0, 3, k).astype(np.float32), rng.integers(20, 40, count).astype(np.float32)
    label, others = nearest(products, half, norms)
    squared = norms[:, None] + 2 * (half[None] - products)
    np.testing.assert_array_equal(label, squared.argmin(1))
    second = np.sort(np.pad(squared, ((0, 0), (0, 1)), constant_values=np.inf), axis=1)[:, 1]
    np.testing.assert_allclose(others, np.sqrt(np.maximum(second, 0)), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(2, 30), st.integers(0, 999))
def test_settle_decides_rightly_or_not_at_all(count: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.uniform(0, 9, (count, k)).astype(np.float32)  # distances
    movers = np.flatnonzero(rng.random(k) < 0.4)
    label = rng.integers(0, k, count).astype(np.int32)
    rest = gaps.copy()
    rest[:, movers] = np.inf
    rest[np.arange(count), label] = np.inf
    others = np.minimum(rest.min(1), 9) * rng.uniform(0, 1, count).astype(np.float32)  # none of the rest is nearer
    own, norms = gaps[np.arange(count), label], rng.uniform(0, 5, count).astype(np.float32)
    products = (norms[:, None] - gaps[:, movers] ** 2) / 2
    new_label, new_others = label.copy(), others.copy()
    half = np.zeros(len(movers), np.float32)
    undecided = settle(products.astype(np.float32), movers, half, norms, own, new_label, new_others)
    decided = np.setdiff1d(np.arange(count), undecided)
    np.testing.assert_array_equal(new_label[undecided], label[undecided])
    np.testing.assert_array_equal(new_others[undecided], others[undecided])
    np.testing.assert_array_equal(new_label[decided], gaps[decided].argmin(1))
    for i in decided:
        assert new_others[i] <= np.delete(gaps[i], new_label[i]).min() + 1e-4
    with_movers = np.where(np.isin(np.arange(k), movers)[None], gaps, np.inf)
    with_movers[np.arange(count), label] = own
    assert set(np.flatnonzero(with_movers.min(1) < others - 1e-4)) <= set(decided)  # and what can be, is decided


def test_distances_are_squared_gaps() -> None:
    rng = np.random.default_rng(0)
    rows, centroids = rng.normal(size=(30, 1024)).astype(np.float32), rng.normal(size=(4, 1024)).astype(np.float32)
    label = rng.integers(0, 4, 30).astype(np.int32)
    np.testing.assert_allclose(distances(rows, centroids, label), ((rows - centroids[label]) ** 2).sum(1), rtol=1e-5)
    assert distances(rows[:0], centroids, label[:0]).shape == (0,)


def test_move_keeps_sums_and_sizes() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(50, 7)).astype(np.float32)
    sums, sizes, before = np.zeros((4, 7)), np.zeros(4, np.int64), np.full(50, -1, np.int32)
    for _ in range(3):
        after = rng.integers(0, 4, 50).astype(np.int32)
        assert move(sums, sizes, rows, before, after) == (before != after).sum()
        expected = np.zeros((4, 7))
        np.add.at(expected, after, rows)
        np.testing.assert_allclose(sums, expected, atol=1e-6)
        np.testing.assert_array_equal(sizes, np.bincount(after, minlength=4))
        before = after


def test_shapes_that_disagree_are_refused() -> None:
    one, two, label = np.ones((3, 2), np.float32), np.ones(2, np.float32), np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="products"):
        nearest(one, two, two)
    with pytest.raises(ValueError, match="products"):
        settle(one, np.arange(2), two, two, two, label, two)
    with pytest.raises(ValueError, match="label a row"):
        distances(one, one, label)
    with pytest.raises(ValueError, match="sums"):
        move(np.zeros((2, 3)), np.zeros(2, np.int64), one, np.zeros(3, np.int32), np.zeros(3, np.int32))
