"""A number of clusters without labels: where splitting further stops making clusters that a second look finds again."""

from __future__ import annotations

import numpy as np

from avterm.clustering.kmeans import kmeans
from avterm.clustering.source import Rows

SAMPLE = 6000
CANDIDATES = (5, 8, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500)


def choose_k(rows: Rows, seed: int = 1, strength: float = 0.85, spherical: bool = False, noise: float = 0.0) -> int:
    """The largest candidate whose prediction strength (Tibshirani & Walther 2005) stays above `strength`.

    Two halves of a sample are clustered apart; the strength is the share of pairs of rows that lie together in one
    half's clusters and also under the other half's centroids, averaged over the clusters (the original takes the
    worst cluster, which one stray row decides when k is large). With `noise`, as in `kmeans`, the number that is
    returned counts the cluster of noise, of which nothing is asked.
    """
    random = np.random.default_rng(seed)
    count, last = int(rows.shape[0]), int(noise > 0)
    chosen = np.sort(random.choice(count, min(count, SAMPLE), replace=False))
    sample = np.asarray(rows[chosen], np.float32)
    halves = np.array_split(random.permutation(len(sample)), 2)
    one, two = sample[halves[0]], sample[halves[1]]
    best = 2
    for k in CANDIDATES:
        if k > len(two) * (1 - noise) // 5:
            break
        first = kmeans(one, k + last, 30, seed=seed, spherical=spherical, noise=noise).centroid[:k]
        second = kmeans(two, k + last, 30, seed=seed + 1, spherical=spherical, noise=noise)
        gaps = (first**2).sum(1)[None] - 2 * two @ first.T  # of unit centroids too, however long the rows are
        if _strength(second.assignment, gaps.argmin(1), k) >= strength:
            best = k
    return best + last


def _strength(own: np.ndarray, predicted: np.ndarray, k: int) -> float:
    shares = np.zeros(k)  # a row alone is no cluster that could be found again
    for cluster in range(k):
        others = predicted[own == cluster]
        if len(others) > 1:
            sizes = np.bincount(others)
            shares[cluster] = (sizes * (sizes - 1)).sum() / (len(others) * (len(others) - 1))
    return float(shares.mean())
