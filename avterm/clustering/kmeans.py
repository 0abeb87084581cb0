"""k-means over embeddings that need not fit into memory (section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avterm.clustering.lloyd import Lloyd
from avterm.clustering.parts import Stored
from avterm.clustering.source import Rows, Source
from avterm.clustering.start import start_on_sample
from avterm.engine.mapping import HERE, Engine
from avterm.errors import BadInput


@dataclass(frozen=True)
class KMeans:
    """centroid float32 (k, D); assignment int32 (N,); distance float32 (N,) squared to the own centroid; inertia."""

    centroid: np.ndarray
    assignment: np.ndarray
    distance: np.ndarray
    inertia: float
    iterations: int


def kmeans(
    rows: Rows | Stored,
    k: int,
    iterations: int = 50,
    tolerance: float = 1e-4,
    seed: int = 1,
    start: np.ndarray | None = None,
    spherical: bool = False,
    on_step: Callable[[float], None] = lambda inertia: None,
    engine: Engine = HERE,
) -> KMeans:
    """Cluster (N, D) rows into k. Deterministic for a seed, on any number of threads.

    engine: where the steps over all rows are done, with the same result; another than this process needs `Stored` rows.

    start: (k, D) centroids to begin with; else k-means of a seeded sample, begun with k-means++. Stops when the inertia
    falls by less than `tolerance` of itself. Empty clusters take the rows farthest from their centroids. `spherical`
    normalises the rows, and the centroids at every step. BadInput where there are fewer rows than clusters or values
    that are not finite.
    """
    stored = rows if isinstance(rows, Stored) else None
    here: Rows = rows.rows() if isinstance(rows, Stored) else rows
    count = int(here.shape[0])
    if not 1 <= k <= count:
        raise BadInput(f"-k {k}: expected between 1 and {count}, the number of groundings")
    source = Source(here, unit=spherical)
    if start is None:
        start = start_on_sample(source, k, seed)
    lloyd = Lloyd(source, start, engine if stored is not None else HERE, stored)
    made = lloyd.descend(iterations, tolerance, on_step)
    inertia, _ = lloyd.step()
    return KMeans(lloyd.centroids, lloyd.label, lloyd.gap, inertia, made)
