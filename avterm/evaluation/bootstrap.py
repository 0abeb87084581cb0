"""How sure a mean is: percentile intervals by resampling pairs, whose groundings are not independent."""

from __future__ import annotations

import numpy as np


def interval(
    values: np.ndarray, owner: np.ndarray, rounds: int = 1000, seed: int = 1, level: float = 0.95
) -> list[float] | None:
    """[low, high] of the mean of `values` (N,), resampling their owners (N,) `rounds` times; None for no rounds."""
    if not rounds or not len(values):
        return None
    _, place = np.unique(owner, return_inverse=True)
    totals, counts = np.bincount(place, values), np.bincount(place)
    random = np.random.default_rng(seed)
    means = np.empty(rounds)
    for i in range(rounds):
        drawn = random.integers(0, len(totals), len(totals))
        means[i] = totals[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return [float(low), float(high)]
