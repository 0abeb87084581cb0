"""k-means over embeddings that need not fit into memory (section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from avterm_kernels.lloyd import distances

from avterm.clustering.lloyd import Lloyd
from avterm.clustering.parts import Stored
from avterm.clustering.source import Rows, Source
from avterm.clustering.start import start_on_sample
from avterm.engine.ahead import ahead
from avterm.engine.mapping import HERE, Engine
from avterm.errors import BadInput

TRIM = (1 / 3, 2 / 3, 1.0)  # of the noise: where little is left out at first, less of what is left out begins a cluster


@dataclass(frozen=True)
class KMeans:
    """centroid float32 (k, D); assignment int32 (N,); distance float32 (N,) squared to the own centroid; inertia, which
    does not count noise."""

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
    noise: float = 0.0,
) -> KMeans:
    """Cluster (N, D) rows into k. Deterministic for a seed, on any number of threads.

    engine: where the steps over all rows are done, with the same result; another than this process needs `Stored` rows.

    start: (k, D) centroids to begin with; else k-means of a seeded sample, begun with k-means++. Stops when the inertia
    falls by less than `tolerance` of itself. Empty clusters take the rows farthest from their centroids. `spherical`
    normalises the rows, and the centroids at every step. `noise`: the last cluster takes this share of the rows, those
    farthest from the centroids of the others, which they do not move (trimmed k-means, Cuesta-Albertos et al. 1997; the
    noise cluster is Davé's, 1991). BadInput where there are fewer rows than clusters or values that are not finite.
    """
    stored = rows if isinstance(rows, Stored) else None
    here: Rows = rows.rows() if isinstance(rows, Stored) else rows
    count = int(here.shape[0])
    if not 1 <= k <= count:
        raise BadInput(f"-k {k}: expected between 1 and {count}, the number of groundings")
    source, trimmed = Source(here, unit=spherical), round(noise * count)
    words = k - 1 if trimmed else k
    if not 1 <= words <= count - trimmed:
        raise BadInput(
            f"-k {k}: expected at least a cluster beside the noise's, and a row for each of the {count - trimmed} "
            "groundings that are not noise"
        )
    if start is None:
        start = start_on_sample(source, words, seed)
    lloyd = Lloyd(source, start, engine if stored is not None else HERE, stored)
    made = lloyd.descend(iterations, tolerance, on_step)
    if not trimmed:
        inertia, _ = lloyd.step()
        return KMeans(lloyd.centroids, lloyd.label, lloyd.gap, inertia, made)
    for part in TRIM:
        made += lloyd.descend(iterations, tolerance, on_step, round(part * trimmed))
    lloyd.step()
    return _with_noise(lloyd, source, lloyd.farthest(trimmed), made)


def _with_noise(lloyd: Lloyd, source: Source, far: np.ndarray, made: int) -> KMeans:
    """These rows in a cluster of their own, the last."""
    middle = lloyd.sums_of(far)[0].sum(0) / len(far)
    if source.unit:
        middle /= max(float(np.linalg.norm(middle)), 1e-12)
    centroids = np.concatenate([lloyd.centroids, middle.astype(np.float32)[None]])
    label, gap = lloyd.label.copy(), lloyd.gap.copy()
    label[far] = len(lloyd.centroids)
    inertia = float(np.delete(gap, far).sum(dtype=np.float64))
    for first, block in ahead(source.load, source.firsts):
        here = np.flatnonzero(label[first : first + len(block.values)] == len(lloyd.centroids))
        gap[first + here] = distances(block.values.numpy()[here], centroids, label[first + here])
        source.done(block)
    return KMeans(centroids, label, gap, inertia, made)
