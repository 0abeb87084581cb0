"""What evaluation found: labels of groundings, and the quality of the clusters of each k."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avterm.store.atomic import read_json, write_json
from avterm.store.clusters import KIND as CLUSTERS
from avterm.store.clusters import clusters_path
from avterm.store.run import Run
from avterm.store.shards import Header, Shard, read_header, write_shard

KIND = "labels"


def evaluation_path(run: Run, k: int) -> Path:
    """Where the evaluation of this k lies."""
    return run.path / "evaluation" / f"k{k:05d}.json"


def write_evaluation(run: Run, k: int, value: dict[str, Any]) -> None:
    """{"overall": {...}, "clusters": [...]}; see `avterm.evaluation.stage.evaluate` for the keys."""
    write_json(evaluation_path(run, k), value)


def read_evaluation(run: Run, k: int) -> dict[str, Any] | None:
    """What `write_evaluation` wrote for the clusters of this k; None where there is none, or they were made again."""
    path = evaluation_path(run, k)
    if not path.exists():
        return None
    value = read_json(path)
    if not isinstance(value, dict) or "clusters" not in value:
        return None
    made_from, clusters = value.get("clusters_made_from"), clusters_path(run.path / "clusters", k)
    if made_from is not None and (not clusters.exists() or read_header(clusters, CLUSTERS).fingerprint != made_from):
        return None
    return value


def write_labels(run: Run, labels: list[str], fingerprint: str) -> None:
    """One label a grounding, in the order of the grounding store."""
    write_shard(run.path / "evaluation" / "labels.h5", Header(KIND, len(labels), fingerprint, {}), {"label": labels})


def labels_fingerprint(run: Run) -> str | None:
    """What the labels were made from; None where there are none."""
    path = run.path / "evaluation" / "labels.h5"
    return read_header(path, KIND).fingerprint if path.exists() else None


def remove_labels(run: Run) -> None:
    """Forget the labels, if there are any."""
    (run.path / "evaluation" / "labels.h5").unlink(missing_ok=True)


class Labels:
    """The label of every grounding, read where asked for."""

    def __init__(self, run: Run) -> None:
        """StoreError where the run was not evaluated."""
        self._shard = Shard(run.path / "evaluation" / "labels.h5", KIND)

    def __len__(self) -> int:
        return len(self._shard)

    def __getitem__(self, row: int) -> str:
        return self._shard.text("label", int(row))

    def all(self) -> list[str]:
        """Every label."""
        return self._shard.texts("label")
