"""What the page says in words and figures: facts of the run, tables, and the list of clusters, as plain JSON values."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from avterm.progress import Progress
from avterm.report.figures import Drawing
from avterm.report.map_figure import INCHES, label_places
from avterm.report.media import encode_figure
from avterm.report.source import ClusterFacts, Source
from avterm.report.style import DARK, LIGHT, encoded, shown

NEIGHBOURS = 6
LINKS = 4
LABELS = 10
MEMBER_ROWS = 40  # members that the page lists beside those that it plays
SAMPLED = 5000  # members whose labels are counted for a cluster's breakdown (Table 2)

Json = dict[str, Any]


def summary(source: Source) -> list[list[str]]:
    """Name and value of what somebody wants to know first."""
    groundings, corpus = source.groundings, source.run.corpus
    rows = [
        ["pairs in the corpus", f"{len(corpus):,}"],
        ["pairs grounded", f"{groundings.pair_count:,}"],
        ["groundings", f"{len(groundings):,}"],
        ["speech clusters", f"{source.k:,}"],
        ["image clusters", f"{len(source.clusters.image):,}"],
    ]
    lost = len(groundings.left_out())
    if lost:
        rows.insert(2, ["pairs without groundings", f"{lost:,}"])
    noise = source.clusters.noise
    if noise is not None:
        rows.append(["segments left over as noise", f"{int(source.clusters.speech.size[noise]):,}"])
    labels = {f.label for f in source.facts if f.label is not None and f.cluster != noise}
    if labels:
        rows.append(["distinct labels", f"{len(labels):,}"])
    weighed = [(f.purity, f.size) for f in source.facts if f.purity is not None and f.size]
    if weighed:
        points = sum(size for _, size in weighed)
        rows.append(["overall purity", f"{sum(p * size for p, size in weighed) / points:.3f}"])
    states = Counter(f.state for f in source.facts if f.state != "new")
    rows += [[f"clusters {state}", f"{count:,}"] for state, count in sorted(states.items())]
    return rows


def cluster_values(source: Source, listed: Sequence[ClusterFacts]) -> list[Json]:
    """One object a listed cluster: its figures, label breakdown, neighbours, links and the rows of its members."""
    near = _neighbours(source, listed)
    return [_cluster(source, fact, near[i]) for i, fact in enumerate(listed)]


def map_values(source: Source) -> list[list[float]]:
    """[cluster, x, y, label's x, label's y] of Figure 4's clusters, in its inches from the top left."""
    chosen, places = source.map
    texts = [shown(source.facts[c].title, 18) for c in chosen]
    labels = label_places(places, texts)
    points = np.concatenate([places, labels], axis=1)
    points[:, 1::2] = 1 - points[:, 1::2]
    scaled = points * np.concatenate([INCHES, INCHES])
    return [[int(c), *(round(float(v), 3) for v in row)] for c, row in zip(chosen, scaled, strict=True)]


def figure_values(made: Sequence[Drawing], progress: Progress) -> list[Json]:
    """One object a figure: title, caption, and its pictures for light and dark screens as data URLs."""
    values = []
    with progress.step("figures", len(made), "figures") as step:
        for drawing in made:
            value: Json = {"title": drawing.title, "caption": drawing.caption}
            for theme in (LIGHT, DARK):
                figure = drawing.draw(theme)
                if drawing.pictures:
                    value[theme.name] = _data_url("webp", encode_figure(encoded(figure, "png", theme, dpi=150)))
                else:
                    value[theme.name] = _data_url("svg+xml", encoded(figure, "svg", theme))
            values.append(value)
            step.advance()
    return values


def _data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _cluster(source: Source, fact: ClusterFacts, near: list[list[float]]) -> Json:
    rows = source.members(fact.cluster, SAMPLED)
    counted = Counter(label for label in source.labels_of(rows) if label is not None)
    value: Json = {
        "id": fact.cluster,
        "name": fact.name,
        "label": fact.label,
        "state": fact.state,
        "note": fact.note,
        "merged": fact.merged,
        "size": fact.size,
        "variance": _rounded(fact.variance),
        "purity": _rounded(fact.purity),
        "coverage": _rounded(fact.coverage),
        "speakers": fact.speakers,
        "image": fact.image_cluster,
        "imageSize": fact.image_size,
        "affinity": _rounded(fact.affinity),
        "neighbours": near,
        "links": _links(source, fact.cluster),
        "labels": [[label, count] for label, count in counted.most_common(LABELS)],
        "counted": sum(counted.values()),
        "members": _members(source, rows[:MEMBER_ROWS]),
    }
    return {k: v for k, v in value.items() if v not in (None, [], "new")}


def _members(source: Source, rows: np.ndarray) -> list[list[Any]]:
    """[pair id, first frame, last frame, label] of each row."""
    ids = source.groundings.ids
    pairs = source.groundings.pair_of(rows)
    segments = source.groundings.column("segment")[rows] if len(rows) else np.zeros((0, 2), np.int32)
    labels = source.labels_of(rows.tolist())
    return [[ids[int(p)], int(s[0]), int(s[1]), label] for p, s, label in zip(pairs, segments, labels, strict=True)]


def _links(source: Source, cluster: int) -> list[list[float]]:
    """[image cluster, share of the speech cluster's positive affinity] of its strongest links."""
    column = np.maximum(source.clusters.affinity[:, cluster], 0)
    total = column.sum()
    if total <= 0:
        return []
    best = np.argsort(-column, kind="stable")[:LINKS]
    return [[int(i), _rounded(float(column[i] / total)) or 0.0] for i in best if column[i] > 0]


def _neighbours(source: Source, listed: Sequence[ClusterFacts]) -> list[list[list[float]]]:
    """For each listed cluster the listed clusters with the nearest centroids: [cluster, distance]."""
    numbers = np.array([f.cluster for f in listed], np.int64)
    centroids = source.clusters.speech.centroid[numbers].astype(np.float64)
    squares = (centroids**2).sum(axis=1)
    near = []
    for i in range(len(numbers)):
        gaps = np.sqrt(np.maximum(squares + squares[i] - 2 * centroids @ centroids[i], 0))
        gaps[i] = np.inf
        order = np.argsort(gaps, kind="stable")[: min(NEIGHBOURS, len(numbers) - 1)]
        near.append([[int(numbers[j]), _rounded(float(gaps[j])) or 0.0] for j in order])
    return near


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.4g}")
