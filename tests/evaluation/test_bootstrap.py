"""Intervals by resampling pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from avterm.evaluation.bootstrap import Bootstrap


def interval_of_mean(values: np.ndarray, owner: np.ndarray, owners: int, seed: int = 1) -> list[float]:
    sure = Bootstrap(owners, 500, seed)
    sure.mean("mean", values, owner)
    return sure.intervals()["mean"]


def test_owners_are_resampled_not_values() -> None:
    values, owner = np.array([1.0] * 50 + [0.0] * 50), np.repeat([0, 1], 50)
    assert interval_of_mean(values, owner, 2) == [0.0, 1.0]  # two owners: all or nothing
    low, high = interval_of_mean(values, np.arange(100), 100)
    assert 0.35 < low < 0.5 < high < 0.65


def test_width_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(3, 2, 4000)
    low, high = interval_of_mean(values, np.arange(4000), 4000)
    assert high - low == pytest.approx(2 * 1.96 * 2 / np.sqrt(4000), rel=0.15)
    assert low < values.mean() < high


def test_same_seed_same_interval() -> None:
    values, owner = np.random.default_rng(0).random(60), np.repeat(np.arange(20), 3)
    assert interval_of_mean(values, owner, 20) == interval_of_mean(values, owner, 20)
    assert interval_of_mean(values, owner, 20) != interval_of_mean(values, owner, 20, seed=2)


def test_mean_of_ratios_by_group() -> None:
    above = csr_array(np.array([[1.0, 0.0], [1.0, 1.0]]))
    below = csr_array(np.array([[2.0, 0.0], [2.0, 1.0]]))
    sure = Bootstrap(2, 200)
    sure.mean_ratio("coverage", above, below)
    assert sure.intervals()["coverage"] == [0.5, 0.75]  # the second group is missing where only the first pair is drawn


def test_what_nothing_can_tell_has_no_interval() -> None:
    for owners, rounds in ((3, 0), (0, 10), (3, 10)):
        sure = Bootstrap(owners, rounds)
        sure.ratio("none", np.zeros(owners), np.zeros(owners))
        assert sure.intervals() == {}


def test_any_figure_of_the_weights() -> None:
    sure = Bootstrap(3, 200)
    drawn = []

    def figure(weights: np.ndarray) -> float | None:
        drawn.append(weights.sum())
        return float(weights[0]) if weights[1] else None

    sure.other("first", figure)
    sure.other("nothing", lambda weights: None)
    found = sure.intervals()
    assert set(drawn) == {3.0}
    assert found["first"][0] == 0
    assert 1 <= found["first"][1] <= 2  # never all three draws: then the second pair was not drawn
    assert "nothing" not in found


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_a_median_of_whole_pairs(count: int) -> None:
    rng = np.random.default_rng(count)
    values, owner = rng.integers(0, 9, 20).astype(float), rng.integers(0, count, 20)
    sure = Bootstrap(count, 50)
    sure.median("median", values, owner)
    figure = sure._others["median"]
    for _ in range(20):
        weights = np.bincount(rng.integers(0, count, count), minlength=count).astype(float)
        repeated = np.repeat(values, weights[owner].astype(int))
        assert figure(weights) == (float(np.median(repeated)) if len(repeated) else None)


def test_what_resampling_inflates_is_moved_back() -> None:
    def drawn_twice(weights: np.ndarray) -> float:  # 0 of the pairs as they are, about a quarter of a resample
        return float((weights > 1).mean())

    plain, moved = Bootstrap(200, 200), Bootstrap(200, 200)
    plain.other("figure", drawn_twice)
    moved.other("figure", drawn_twice, inflated=True)
    (low, high), (lower, higher) = plain.intervals()["figure"], moved.intervals()["figure"]
    assert low > 0.15
    assert lower < 0 < higher
    assert higher - lower == pytest.approx(high - low)
