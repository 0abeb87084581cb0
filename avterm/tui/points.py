"""The map's points: reading them from the run, and walking from one to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avterm.errors import StoreError
from avterm.store.clusters import Clusters
from avterm.store.run import Run
from avterm.store.shards import Shard

KIND = "map"


def map_path(run: Run, k: int, modality: str) -> Path:
    """Where the points of this k lie."""
    return run.path / "map" / f"k{k:05d}-{modality}.h5"


def read_map(run: Run, clusters: Clusters, modality: str) -> np.ndarray | None:
    """float32 (k, 2) in [0, 1], NaN for empty clusters; None where they were not laid out, or for other clusters."""
    path = map_path(run, len(clusters.speech), modality)
    if not path.exists():
        return None
    try:
        with Shard(path, KIND) as shard:
            points: np.ndarray = shard["point"][:]
            fresh = shard.header.fingerprint == clusters.fingerprint
    except StoreError:
        return None  # damaged: it is laid out again
    return points if fresh and points.shape == (len(getattr(clusters, modality)), 2) else None


def neighbour(points: np.ndarray, at: int, across: int, down: int) -> int:
    """The point to walk to from `at` in a direction: near, and not far off the straight way. `at` where there is none.

    points : float (n, 2), x to the right and y down; NaN are no points.
    """
    delta = points - points[at]
    along = delta[:, 0] * across + delta[:, 1] * down
    aside = np.abs(delta[:, 0] * down) + np.abs(delta[:, 1] * across)
    with np.errstate(invalid="ignore"):
        cost = np.where((along > 1e-9) & (aside <= 2 * along), along + 2 * aside, np.inf)
    cost[at] = np.inf
    best = int(np.argmin(np.nan_to_num(cost, nan=np.inf)))
    return best if np.isfinite(cost[best]) else at
