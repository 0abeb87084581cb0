"""What a report reads: a run's clusters of one k with their figures, names and labels, as far as they are there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from avterm.corpus.manifest import Pair
from avterm.corpus.words import Word, words_of
from avterm.errors import UsageError
from avterm.report.map_figure import CLUSTERS, tsne
from avterm.store.clusters import NOISE, clusters_path
from avterm.store.curation import read_curation
from avterm.store.evaluation import Labels, read_evaluation
from avterm.store.run import Run


@dataclass(frozen=True)
class ClusterFacts:
    """A speech cluster in figures; None where there is no evaluation to know them from."""

    cluster: int
    name: str | None  # given by somebody who curated
    label: str | None  # majority vote over the members' labels (section 5)
    state: str  # new | accepted | rejected
    note: str | None
    merged: list[int]  # clusters that were merged into this one
    size: int
    variance: float | None
    purity: float | None
    coverage: float | None
    speakers: int | None
    image_cluster: int
    image_size: int
    affinity: float

    @property
    def title(self) -> str:
        """The name, else the label, else the number."""
        return self.name or self.label or f"#{self.cluster}"


class Source:
    """A run's clusters of one k, ready to be shown."""

    def __init__(self, run: Run, k: int | None = None, words: Path | None = None) -> None:
        """`k` None: the clusters made last. StoreError where they are missing, UsageError naming the k's there are."""
        if k is not None and not clusters_path(run.path / "clusters", k).exists() and run.ks:
            raise UsageError(f"{run.path}: no clusters of k = {k}; there are: {', '.join(map(str, run.ks))}")
        self.run = run
        self.clusters = run.clusters(k)
        self.k = len(self.clusters.speech)
        self.groundings = run.groundings
        self.evaluation: dict[str, Any] | None = read_evaluation(run, self.k)
        self.curation = read_curation(run, self.k)
        self._words_path = words

    @cached_property
    def labels(self) -> list[str] | None:
        """The label of every grounding row; None where no words are known, or the groundings were made again since."""
        if not (self.run.path / "evaluation" / "labels.h5").exists():
            return None
        labels = Labels(self.run).all()
        return labels if len(labels) == len(self.groundings) else None

    @cached_property
    def words(self) -> dict[str, list[Word]]:
        """Word times by pair id; empty where none are known."""
        return words_of(self.run.corpus, self._words_path)

    @cached_property
    def facts(self) -> list[ClusterFacts]:
        """Every speech cluster, by number."""
        evaluated = {int(c["cluster"]): c for c in (self.evaluation or {}).get("clusters", [])}
        return [self._facts(c, evaluated.get(c, {})) for c in range(self.k)]

    @property
    def labelled(self) -> bool:
        """Whether any cluster has a label from an evaluation with word times."""
        return any(f.label is not None for f in self.facts if f.cluster != self.clusters.noise)

    def standing(self) -> list[ClusterFacts]:
        """The clusters that have members and were not merged into others, the lowest variance first; last those of one
        member, whose variance of 0 says nothing. Not that of noise, which is no word."""
        words = [f for f in self.facts if f.size and f.cluster != self.clusters.noise]
        kept = [f for f in words if self.curation.merged_into(f.cluster) is None]
        return sorted(kept, key=lambda f: (f.size < 2, f.variance or 0.0, f.cluster))

    def members(self, cluster: int, limit: int | None = None) -> np.ndarray:
        """int64: rows of a speech cluster's groundings after curation, from the centre outwards."""
        return self.curation.members(self.clusters.speech, cluster)[:limit]

    @cached_property
    def map(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 (n,), float64 (n, 2): the clusters of Figure 4, the lowest variance first, and where they lie."""
        standing = [f.cluster for f in self.standing() if f.size > 1][:CLUSTERS]
        chosen = np.array(standing, np.int64)
        return chosen, tsne(self.clusters.speech.centroid[chosen])

    def pair_of_row(self, row: int) -> Pair | None:
        """The corpus's pair of a grounding; None where the corpus no longer has it."""
        return self.pair(self.groundings.ids[int(self.groundings.pair_of(np.asarray([row]))[0])])

    def pair(self, id: str) -> Pair | None:
        """The corpus's pair of this id; None where it has none."""
        corpus = self.run.corpus
        return corpus[id] if id in corpus.index else None

    def labels_of(self, rows: Iterable[int]) -> list[str | None]:
        """The label of each row; None where nothing was evaluated."""
        labels = self.labels
        return [None if labels is None else labels[int(row)] for row in rows]

    def image_titles(self) -> list[str]:
        """One title an image cluster: that of its most affine speech cluster (Figure 3)."""
        return [self.facts[int(s)].title for s in self.clusters.speech_of_image]

    def _facts(self, cluster: int, found: dict[str, Any]) -> ClusterFacts:
        image = int(self.clusters.image_of_speech[cluster])
        merged = self.curation.merged(cluster)
        changed = bool(merged) or bool(self.curation.excluded(cluster))
        size = len(self.members(cluster)) if changed else int(self.clusters.speech.size[cluster])
        return ClusterFacts(
            cluster=cluster,
            name=self.curation.name(cluster),
            label=NOISE if cluster == self.clusters.noise else _text(found.get("label")),
            state=self.curation.state(cluster),
            note=self.curation.note(cluster),
            merged=merged,
            size=size,
            variance=_number(self.clusters.speech.variance[cluster]),
            purity=_number(found.get("purity")),
            coverage=_number(found.get("coverage")),
            speakers=None if _number(found.get("speakers")) is None else int(found["speakers"]),
            image_cluster=image,
            image_size=int(self.clusters.image.size[image]),
            affinity=float(self.clusters.affinity[image, cluster]),
        )


def _number(value: Any) -> float | None:
    if isinstance(value, int | float | np.number) and math.isfinite(value):
        return float(value)
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
