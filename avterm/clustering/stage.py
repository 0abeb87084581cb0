"""`avterm cluster`: clusters of both modalities, their variance, and the affinity between them (section 4)."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from avterm.clustering.affinity import affinity
from avterm.clustering.kmeans import KMeans, kmeans
from avterm.clustering.parts import Stored
from avterm.config import ClusteringConfig, fingerprint
from avterm.engine.mapping import HERE, Engine
from avterm.errors import ConfigError, StoreError
from avterm.progress import Progress
from avterm.store.clusters import Clusters, clusters_path, write_clusters
from avterm.store.groundings import MODALITIES
from avterm.store.run import Run


@dataclass(frozen=True)
class ClusterSummary:
    """What clustering gave."""

    k: int
    k_image: int
    groundings: int
    speech_inertia: float
    image_inertia: float
    seconds: float
    already: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the run's stages; without what differs from run to run."""
        return {k: v for k, v in asdict(self).items() if k not in {"seconds", "already"}}


def cluster(
    run: Run, config: ClusteringConfig, progress: Progress, redo: bool = False, engine: Engine = HERE
) -> ClusterSummary:
    """Cluster the run's segments and crops; writes clusters/kNNNNN.h5, the one that commands take from now on.

    Several k may stand side by side. Returns at once where this k is done with the same settings and groundings;
    StoreError where it was done with others and not `redo`. The run's settings are written down once the stage has
    made something with them.
    """
    store = run.groundings
    if config.method not in {"kmeans", "spherical"}:
        raise ConfigError(f"clustering.method: expected kmeans or spherical, found {config.method!r}")
    key = fingerprint("cluster", config, store.digest)
    path = clusters_path(run.path / "clusters", config.k)
    began = time.monotonic()
    if path.exists() and not redo:
        there = Clusters(path)
        if there.fingerprint == key:
            run.save()
            run.finish("cluster", key, there.info)
            values = {k: there.info[k] for k in ("k", "k_image", "groundings", "speech_inertia", "image_inertia")}
            return ClusterSummary(**values, seconds=0.0, already=True)
        raise StoreError(f"{path}: clustered from other groundings or with other settings; --redo replaces it")
    sizes = {"speech": config.k, "image": config.k_image or config.k}
    rows = {m: Stored(store.folder, m, store.digest) for m in MODALITIES}
    found = {m: _best(rows[m], sizes[m], config, progress, engine) for m in MODALITIES}
    arrays: dict[str, np.ndarray] = {}
    for name, result in found.items():
        arrays |= {f"{name}/{key}": value for key, value in _describe(result, sizes[name]).items()}
    arrays["affinity"] = affinity(
        rows["image"],
        rows["speech"],
        found["image"].assignment,
        found["speech"].assignment,
        sizes["image"],
        sizes["speech"],
        engine,
    )
    summary = ClusterSummary(
        config.k,
        sizes["image"],
        len(store),
        found["speech"].inertia,
        found["image"].inertia,
        time.monotonic() - began,
        False,
    )
    run.save()
    write_clusters(path, key, arrays, summary.as_dict())
    run.finish("cluster", key, summary.as_dict())
    return summary


def _best(rows: Stored, k: int, config: ClusteringConfig, progress: Progress, engine: Engine) -> KMeans:
    """The restart with the lowest inertia."""
    results = []
    with progress.step(f"cluster {rows.modality}", config.iterations * config.restarts, "steps") as step:
        for restart in range(max(1, config.restarts)):
            results.append(
                kmeans(
                    rows,
                    k,
                    config.iterations,
                    config.tolerance,
                    config.seed + restart,
                    spherical=config.method == "spherical",
                    on_step=lambda inertia: step.advance(inertia=inertia),
                    engine=engine,
                )
            )
    return min(results, key=lambda r: r.inertia)


def _describe(result: KMeans, k: int) -> dict[str, np.ndarray]:
    size = np.bincount(result.assignment, minlength=k).astype(np.int64)
    total = np.bincount(result.assignment, result.distance.astype(np.float64), k)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = total / size
    return {
        "centroid": result.centroid.astype(np.float32),
        "assignment": result.assignment,
        "distance": result.distance,
        "size": size,
        "variance": variance,
        "order": np.lexsort((result.distance, result.assignment)).astype(np.int64),
        "offset": np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
    }
