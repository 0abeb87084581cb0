"""The map: centroids of a modality laid out in the plane by t-SNE, kept in the run, computed in a process of its own.

map/k00050-speech.h5
    point   float32 (k, 2)   in [0, 1]; NaN for an empty cluster

The app runs `python -m avterm.tui.layout RUN K MODALITY`, so that neither the import of scikit-learn nor the
computation makes a key wait, and leaving ends it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE

from avterm.errors import AvtermError
from avterm.store.clusters import Clusters
from avterm.store.run import Run
from avterm.store.shards import Header, write_shard
from avterm.tui.points import KIND, map_path


def lay_out(centroids: np.ndarray, seed: int = 1) -> np.ndarray:
    """Points in the unit square, near each other where centroids are.

    centroids : float (n, D). Returns float32 (n, 2); fewer than four centroids stand in a line.
    """
    count = len(centroids)
    if count < 4:
        points = np.stack([np.linspace(0, 1, count), np.full(count, 0.5)], axis=1) if count else np.empty((0, 2))
        return points.astype(np.float32)
    perplexity = min(30.0, (count - 1) / 3)
    points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(
        np.ascontiguousarray(centroids, dtype=np.float32)
    )
    low, high = points.min(axis=0), points.max(axis=0)
    return ((points - low) / np.maximum(high - low, 1e-9)).astype(np.float32)


def save_map(run: Run, clusters: Clusters, modality: str) -> Path:
    """Lay out the clusters of a modality that have members, and keep the points in the run."""
    side = getattr(clusters, modality)
    points = np.full((len(side), 2), np.nan, np.float32)
    full = np.flatnonzero(side.size > 0)
    points[full] = lay_out(side.centroid[full])
    path = map_path(run, len(clusters.speech), modality)
    write_shard(path, Header(KIND, len(points), clusters.fingerprint, {}), {"point": points})
    return path


def main(arguments: list[str]) -> int:
    """RUN K MODALITY; an error is one line on stderr and exit code 1."""
    try:
        folder, k, modality = arguments
        run = Run.open(folder)
        save_map(run, run.clusters(int(k)), modality)
    except (AvtermError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
