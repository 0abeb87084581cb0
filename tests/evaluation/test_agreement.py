"""Mutual information and rank correlation against independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import normalized_mutual_info_score

from avterm.evaluation.agreement import normalised_mutual_information, rank_correlation


@pytest.mark.parametrize("seed", range(6))
def test_mutual_information(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 6, 80)
    labels = [f"w{(c + int(rng.integers(0, 3))) % 4}" for c in cluster]
    expected = normalized_mutual_info_score(labels, cluster)
    assert normalised_mutual_information(labels, cluster) == pytest.approx(expected)


def test_mutual_information_at_its_ends() -> None:
    assert normalised_mutual_information(["a", "b", "a"], np.array([1, 0, 1])) == pytest.approx(1.0)
    assert normalised_mutual_information(["a", "b"] * 2, np.array([0, 0, 1, 1])) == pytest.approx(0.0, abs=1e-12)
    assert normalised_mutual_information(["a"], np.array([0])) == 1.0
    assert normalised_mutual_information([], np.array([], int)) is None


@pytest.mark.parametrize("seed", range(6))
def test_rank_correlation_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 5, 30).astype(float), rng.integers(0, 9, 30).astype(float)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_no_correlation_of_what_does_not_vary() -> None:
    assert rank_correlation(np.ones(3), np.arange(3.0)) is None
    assert rank_correlation(np.empty(0), np.empty(0)) is None
