"""What of a run's clusters and grounded segments is nearest to the segments or boxes of a query."""

from __future__ import annotations

from typing import Any

import numpy as np

from avterm.engine.ahead import ahead
from avterm.retrieval.best import Best
from avterm.retrieval.hits import DISTANCE, SIMILARITY, Found
from avterm.retrieval.lexicon import Entry, Lexicon, squared_distances
from avterm.store.clusters import NOISE, Clusters, Modality
from avterm.store.curation import read_curation
from avterm.store.run import Run
from avterm.units import seconds_in

_ROWS = 16_384  # embeddings of the run that are held at a time


class NearClusters:
    """The clusters of one k, with what they are called now."""

    def __init__(self, run: Run, clusters: Clusters) -> None:
        """Reads the curation and the evaluation, if there are any."""
        k = len(clusters.speech)
        lexicon, self.clusters = Lexicon(run, k), clusters
        self._entries: dict[int, Entry] = dict(zip(lexicon.filled.tolist(), lexicon.entries, strict=True))
        self._image = read_curation(run, k, "image")

    def called(self, modality: str, cluster: int) -> dict[str, Any]:
        """Name and label, where known; an image cluster's label is that of the speech cluster that it is linked to."""
        linked = cluster if modality == "speech" else int(self.clusters.speech_of_image[cluster])
        entry = self._entries.get(linked)
        name, label = (entry.name, entry.label) if entry else (None, None)
        if linked == self.clusters.noise:
            name, label = None, NOISE
        if modality == "image":
            name = self._image.name(cluster) or name
        return {"name": name, "label": label}

    def nearest(
        self, modality: str, asked: str, vectors: np.ndarray, where: dict[str, np.ndarray], most: int
    ) -> list[Found]:
        """Clusters of a modality, each by that of `vectors` (S, D), of the modality `asked`, which is nearest to it.

        By squared distance of embeddings within a modality, also where segments were clustered by sound; by inner
        product, as grounding has it, across the two. `where`: arrays (S, …) that tell where each segment or box of the
        query lies.
        """
        side: Modality = getattr(self.clusters, modality)
        filled = np.flatnonzero(side.size > 0)
        if modality == "speech" and self.clusters.noise is not None:
            filled = filled[filled != self.clusters.noise]
        centroid = side.centroid[filled].astype(np.float32)
        measure = DISTANCE if modality == asked else SIMILARITY
        scores = -squared_distances(vectors, centroid) if modality == asked else vectors @ centroid.T
        part, best = scores.argmax(0), Best(most)
        best.add(filled, scores[part, np.arange(len(filled))], part)
        found = []
        for cluster, score, at in zip(best.rows.tolist(), best.scores.tolist(), best.extra.tolist(), strict=True):
            about = {"cluster": cluster, "size": int(side.size[cluster]), **self.called(modality, cluster)}
            place = {name: values[at].tolist() for name, values in where.items()}
            found.append(Found(f"{modality}-cluster", score, {**about, "in_query": place}, measure))
        return found


def near_segments(
    run: Run, vectors: np.ndarray, parts: np.ndarray, most: int, near: NearClusters | None, without: str | None
) -> list[Found]:
    """The run's grounded segments by their squared distance to the nearest of a query's own.

    vectors: float32 (S, D) embeddings of the query's segments; parts: int64 (S, 2) where they lie, in frames; `near`:
    to name their clusters; `without`: a pair whose segments do not count.
    """
    store, best = run.groundings, Best(most)
    stored, norms = store.embeddings("speech"), np.square(vectors).sum(1)
    own = store.of_pair(without) if without is not None and without in store else None

    def measure(first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        block = stored[first : first + _ROWS].astype(np.float32)
        gaps = np.square(block).sum(1)[:, None] - 2 * block @ vectors.T + norms
        part, rows = gaps.argmin(1), np.arange(first, first + len(block))
        scores = -np.maximum(gaps[np.arange(len(block)), part], 0)
        if own is not None:
            scores[(rows >= own.first) & (rows < own.first + len(own))] = np.nan
        return rows, scores, part

    for _, (rows, scores, part) in ahead(measure, range(0, len(store), _ROWS)):
        best.add(rows, scores, part)
    found = []
    for row, score, at in zip(best.rows.tolist(), best.scores.tolist(), best.extra.tolist(), strict=True):
        pair = store.of_row(row)
        start, end = (seconds_in(int(v)) for v in pair.segment[row - pair.first])
        about: dict[str, Any] = {"id": pair.id, "row": row, "start": start, "end": end}
        if near is not None:
            cluster = int(near.clusters.speech.assignment[row])
            about |= {"cluster": cluster, **near.called("speech", cluster)}
        place = {"start": seconds_in(int(parts[at, 0])), "end": seconds_in(int(parts[at, 1]))}
        found.append(Found("segment", score, {**about, "in_query": place}, DISTANCE))
    return found
