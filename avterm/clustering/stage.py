"""`avterm cluster`: clusters of both modalities, their variance, and the affinity between them (section 4)."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from avterm_kernels.lloyd import move

from avterm.clustering.affinity import affinity
from avterm.clustering.kmeans import TRIM, KMeans, kmeans
from avterm.clustering.parts import Stored
from avterm.clustering.source import Source
from avterm.config import ClusteringConfig, fingerprint
from avterm.engine.ahead import ahead
from avterm.engine.mapping import HERE, Engine
from avterm.errors import ConfigError, StoreError
from avterm.progress import Progress
from avterm.store.clusters import Clusters, clusters_path, write_clusters
from avterm.store.groundings import MODALITIES, SOUND
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
    noise: int = 0  # segments in the last speech cluster, which is then no word

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
    if not 0 <= config.noise < 1:
        raise ConfigError(f"clustering.noise: expected a share from 0 to below 1, found {config.noise}")
    settings = {name: value for name, value in asdict(config).items() if value or name not in ("sound", "noise")}
    key = fingerprint("cluster", settings, store.digest)  # as before there was this choice: clusters of then are kept
    path = clusters_path(run.path / "clusters", config.k)
    began = time.monotonic()
    if path.exists() and not redo:
        there = Clusters(path)
        if there.fingerprint == key:
            run.save()
            run.finish("cluster", key, there.info)
            values = {f.name: there.info[f.name] for f in fields(ClusterSummary) if f.name in there.info}
            return ClusterSummary(**values, seconds=0.0, already=True)
        raise StoreError(f"{path}: clustered from other groundings or with other settings; --redo replaces it")
    sizes = {"speech": config.k, "image": config.k_image or config.k}
    rows = {m: Stored(store.folder, m, store.digest) for m in MODALITIES}
    heard = replace(rows["speech"], modality=SOUND) if config.sound else rows["speech"]
    speech = _best(heard, sizes["speech"], config, progress, engine, config.noise)
    found = {"speech": speech, "image": _best(rows["image"], sizes["image"], config, progress, engine)}
    arrays: dict[str, np.ndarray] = {}
    for name, result in found.items():
        arrays |= {f"{name}/{key}": value for key, value in _describe(result, sizes[name]).items()}
    if config.sound:
        arrays["speech/sound"] = arrays["speech/centroid"]
        arrays["speech/centroid"] = _means(rows["speech"], found["speech"].assignment, sizes["speech"])
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
        round(config.noise * len(store)),
    )
    run.save()
    write_clusters(path, key, arrays, summary.as_dict())
    run.finish("cluster", key, summary.as_dict())
    return summary


def _best(
    rows: Stored, k: int, config: ClusteringConfig, progress: Progress, engine: Engine, noise: float = 0.0
) -> KMeans:
    """The restart with the lowest inertia."""
    results, steps = [], config.iterations * (1 + len(TRIM) * (noise > 0))
    with progress.step(f"cluster {rows.modality}", steps * config.restarts, "steps") as step:
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
                    noise=noise,
                )
            )
    return min(results, key=lambda r: r.inertia)


def _means(rows: Stored, assignment: np.ndarray, k: int) -> np.ndarray:
    """float32 (k, D): mean of each cluster's rows; 0 where it has none."""
    source = Source(rows.rows())
    sums, sizes = np.zeros((k, source.depth), np.float64), np.zeros(k, np.int64)
    for first, block in ahead(source.load, source.firsts):
        label = assignment[first : first + len(block.values)]
        move(sums, sizes, block.values.numpy(), np.full(len(label), -1, np.int32), label)
        source.done(block)
    return (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)


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
