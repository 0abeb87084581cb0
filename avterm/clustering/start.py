"""Where k-means begins: k-means of a sample that fits into memory, itself begun with k-means++.

Steps over a sample cost a fraction of steps over everything; the full ones then have little left to do.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import kmeans_plusplus

from avterm.clustering.lloyd import NOT_FINITE, Lloyd
from avterm.clustering.source import Source
from avterm.errors import BadInput

SAMPLE = 128  # rows a cluster
SMALLEST = 20_000  # rows
LARGEST = 1 << 28  # bytes of float32
SEEDS = 16  # rows a cluster that k-means++ chooses from
STEPS, TOLERANCE = 40, 1e-3


def start_on_sample(source: Source, k: int, seed: int) -> np.ndarray:
    """float32 (k, D) centroids of a seeded sample of the rows. BadInput where its values are not finite."""
    random = np.random.default_rng(seed)
    size = min(source.count, max(k, min(max(SMALLEST, SAMPLE * k), LARGEST // (4 * source.depth))))
    chosen = random.choice(source.count, size, replace=False) if size < source.count else np.arange(source.count)
    sample = source.pick(chosen)
    few = sample[random.choice(size, min(size, max(SEEDS * k, 4096)), replace=False)]
    if not np.isfinite(few).all():
        raise BadInput(NOT_FINITE)
    centroids, _ = kmeans_plusplus(few, k, random_state=int(random.integers(1 << 31)))
    centroids = np.asarray(centroids, np.float32)
    if size < source.count:
        lloyd = Lloyd(Source(sample, unit=source.unit), centroids)
        lloyd.descend(STEPS, TOLERANCE, lambda inertia: None)
        return lloyd.centroids
    return centroids
