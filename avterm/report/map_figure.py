"""Figure 4: a map of the clusters of lowest variance; t-SNE of their speech centroids, each with its label."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from avterm.report.style import LIGHT, Theme, drawing, new_figure, say_instead, shown

CLUSTERS = 150


def lowest_variance(variance: np.ndarray, size: np.ndarray, count: int = CLUSTERS) -> np.ndarray:
    """int64: the `count` clusters of lowest variance that have more than one member, the lowest first."""
    known = np.flatnonzero((size > 1) & np.isfinite(variance))
    return known[np.argsort(variance[known], kind="stable")][:count]


def tsne(centroids: np.ndarray, seed: int = 1) -> np.ndarray:
    """float64 (n, 2): t-SNE of (n, D) centroids, scaled to the unit square; fewer than 5 lie on a circle."""
    count = len(centroids)
    if count < 5:
        angle = 2 * np.pi * np.arange(count) / max(count, 1)
        places = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        perplexity = min(30.0, max(2.0, (count - 1) / 3))
        model = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, method="exact")
        places = model.fit_transform(np.asarray(centroids, np.float64)).astype(np.float64)
    low, span = places.min(axis=0, initial=0), np.ptp(places, axis=0) if count else np.ones(2)
    if count:
        low = places.min(axis=0)
    return (places - low) / np.where(span > 0, span, 1)


def draw_map(places: np.ndarray, names: list[str], size: np.ndarray, theme: Theme = LIGHT) -> Figure:
    """Figure 4 from `tsne`'s places; a point's area follows ln(size), names are moved apart until they can be read."""
    with drawing(theme):
        figure = new_figure(7.0, 5.2)
        if not len(places):
            return say_instead(figure, "no cluster has two members")
        axes = figure.subplots()
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.scatter(
            places[:, 0],
            places[:, 1],
            s=6 + 5 * np.log(np.maximum(size, 1)),
            color=theme.accent,
            alpha=0.55,
            linewidths=0,
        )
        axes.set_xlim(-0.08, 1.08)
        axes.set_ylim(-0.04, 1.04)
        texts = [shown(name, 18) for name in names]
        inches = np.array([7.0 / 1.16, 5.2 / 1.08])
        boxes = np.array([[0.062 * len(t) + 0.06, 0.125] for t in texts])
        moved = spread(places * inches, boxes) / inches
        for text, place, point in zip(texts, moved, places, strict=True):
            if np.hypot(*((place - point) * inches)) > 0.16:
                axes.plot(*np.stack([place, point]).T, color=theme.grid, linewidth=0.5, zorder=0)
            axes.text(place[0], place[1], text, ha="center", va="center", fontsize=7, parse_math=False)
    return figure


def spread(points: np.ndarray, boxes: np.ndarray, rounds: int = 300) -> np.ndarray:
    """float64 (n, 2): centres for labels of widths and heights `boxes` (n, 2), just above `points` and then moved by
    small steps until no two lie on each other, or `rounds` are over."""
    centres = points + np.array([0.0, 0.1])
    need = (boxes[:, None] + boxes[None]) / 2
    tilt = np.arange(len(points)) * 1e-4  # parts labels that lie exactly on each other
    for _ in range(rounds):
        gap = centres[:, None] - centres[None] + (tilt[:, None] - tilt[None])[..., None]
        overlap = need - np.abs(gap)
        clash = (overlap > 0).all(-1)
        np.fill_diagonal(clash, val=False)
        if not clash.any():
            break
        vertical = overlap[..., 1] <= overlap[..., 0]
        push = np.where(clash, 0.25, 0.0)
        centres[:, 0] += (push * ~vertical * np.sign(gap[..., 0]) * overlap[..., 0]).sum(1).clip(-0.1, 0.1)
        centres[:, 1] += (push * vertical * np.sign(gap[..., 1]) * overlap[..., 1]).sum(1).clip(-0.1, 0.1)
    return centres
