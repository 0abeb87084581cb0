"""Groundings and clusters as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from avterm.export.discovered import Discovered
from avterm.export.names import plain
from avterm.units import seconds_in

Row = dict[str, Any]
GROUNDING_COLUMNS: dict[str, type] = {
    "id": str,
    "split": str,
    "speaker": str,
    "language": str,
    "grounding": int,  # row in the run's stores
    "start": float,  # seconds
    "end": float,
    "x0": float,  # pixels
    "y0": float,
    "x1": float,
    "y1": float,
    "score": float,
    "silence": float,  # share
    "cluster": int,  # after curation; empty where split off or left out
    "name": str,
    "distance": float,  # squared, to the centroid of the cluster as it was made
    "image_cluster": int,
    "words": str,  # of the segment, where word times were evaluated
}
CLUSTER_COLUMNS: dict[str, type] = {
    "cluster": int,
    "name": str,
    "state": str,
    "note": str,
    "merged": str,  # clusters merged into this one
    "label": str,
    "size": int,
    "variance": float,
    "purity": float,
    "coverage": float,
    "speakers": int,
    "image_cluster": int,
    "image_size": int,
    "affinity": float,
}


def grounding_rows(found: Discovered) -> Iterator[Row]:
    """One row a grounding of the exported pairs, in the order of the stores; keys are `GROUNDING_COLUMNS`."""
    distance = found.source.clusters.speech.distance
    image = found.source.clusters.image.assignment
    labels = found.source.labels
    for pair, clusters in found.pairs():
        about = found.source.pair(pair.id)
        boxes = pair.pixels().astype(float).round(2)
        for i, cluster in enumerate(clusters.tolist()):
            row = pair.first + i
            start, end = (seconds_in(int(frame)) for frame in pair.segment[i])
            corners = dict(zip(("x0", "y0", "x1", "y1"), boxes[i].tolist(), strict=True))
            yield {
                "id": plain(pair.id),
                "split": about and plain(about.split),
                "speaker": about and plain(about.speaker),
                "language": about and plain(about.language),
                "grounding": row,
                "start": start,
                "end": end,
                **corners,
                "score": round(float(pair.score[i]), 6),
                "silence": round(float(pair.silence[i]), 6),
                "cluster": cluster if cluster >= 0 else None,
                "name": plain(found.title(cluster)) if cluster >= 0 else None,
                "distance": round(float(distance[row]), 6),
                "image_cluster": int(image[row]),
                "words": plain(labels[row]) if labels is not None else None,
            }


def cluster_rows(found: Discovered) -> Iterator[Row]:
    """One row a speech cluster that is handed over; keys are `CLUSTER_COLUMNS`."""
    for fact in found.facts:
        yield {
            "cluster": fact.cluster,
            "name": plain(fact.title),
            "state": fact.state,
            "note": plain(fact.note),
            "merged": " ".join(map(str, fact.merged)) or None,
            "label": plain(fact.label),
            "size": fact.size,
            "variance": fact.variance,
            "purity": fact.purity,
            "coverage": fact.coverage,
            "speakers": fact.speakers,
            "image_cluster": fact.image_cluster,
            "image_size": fact.image_size,
            "affinity": fact.affinity,
        }
