"""Where k-means begins: k-means of a sample that fits into memory, itself begun with k-means++.

Steps over a sample cost a fraction of steps over everything; the full ones then have little left to do.
"""

from __future__ import annotations

from math import log

import numpy as np
import torch
from torch import Tensor

from avterm.clustering.lloyd import NOT_FINITE, Lloyd
from avterm.clustering.source import Source
from avterm.engine.ahead import ahead
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
    # In a thread of its own, that computes alone: threads that wait for each other at each of many small products
    # take several times as long, and more still where other processes have work too.
    seeds = next(ahead(lambda rows: plus_plus(rows, k, random), [few]))[1]
    centroids = few[seeds]
    if size < source.count:
        lloyd = Lloyd(Source(sample, unit=source.unit), centroids)
        lloyd.descend(STEPS, TOLERANCE, lambda inertia: None)
        return lloyd.centroids
    return centroids


def plus_plus(rows: np.ndarray, k: int, random: np.random.Generator) -> np.ndarray:
    """int64 (k,): rows, float32 (n, D), chosen far from each other (Arthur & Vassilvitskii 2007).

    Each is drawn with a probability that grows with the squared distance to those chosen before; of 2 + log k draws the
    one is taken that leaves the least distances, as scikit-learn does. Where every row is chosen or equal to one that
    is, the rest is drawn from all alike.
    """
    values = torch.from_numpy(rows - rows.mean(0))  # centred, so that distances from products do not cancel
    norms = values.square().sum(1)
    chosen = np.empty(k, np.int64)
    chosen[0] = random.integers(len(rows))
    closest = _gaps(values, norms, chosen[:1])[0]
    for i in range(1, k):
        reach = np.cumsum(closest.numpy(), dtype=np.float64)
        drawn = np.searchsorted(reach, random.random(2 + int(log(k))) * reach[-1], side="right")
        drawn = drawn.clip(max=len(rows) - 1) if reach[-1] > 0 else random.integers(len(rows), size=1)
        left = torch.minimum(_gaps(values, norms, drawn), closest)
        best = int(left.sum(1, dtype=torch.float64).argmin())
        chosen[i], closest = drawn[best], left[best]
    return chosen


def _gaps(values: Tensor, norms: Tensor, chosen: np.ndarray) -> Tensor:
    """(m, n) squared distances of all rows to those chosen."""
    gaps = norms + norms[chosen][:, None] - 2 * (values[chosen] @ values.T)
    gaps[torch.arange(len(chosen)), chosen] = 0  # not by rounding
    return gaps.clamp_(min=0)
