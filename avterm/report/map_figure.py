"""Figure 4: a map of the clusters of lowest variance; t-SNE of their speech centroids, each with its label."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from avterm.report.style import LIGHT, Theme, drawing, new_figure, say_instead, shown

CLUSTERS = 150
WIDTH, HEIGHT = 7.0, 5.2
INCHES = np.array([WIDTH / 1.16, HEIGHT / 1.08])  # a side of the unit square, as drawn
DOT = 0.05  # inches that a point takes


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
        figure = new_figure(WIDTH, HEIGHT)
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
        moved = label_places(places, texts)
        for text, place, point in zip(texts, moved, places, strict=True):
            if np.hypot(*((place - point) * INCHES)) > 0.16:
                axes.plot(*np.stack([place, point]).T, color=theme.grid, linewidth=0.5, zorder=0)
            axes.text(place[0], place[1], text, ha="center", va="center", fontsize=7, parse_math=False)
    return figure


def label_places(places: np.ndarray, texts: list[str]) -> np.ndarray:
    """float64 (n, 2): where the labels of points of the unit square stand, so that each can be read."""
    boxes = np.array([[0.062 * len(t) + 0.06, 0.125] for t in texts]).reshape(-1, 2)
    return spread(places * INCHES, boxes) / INCHES


def spread(points: np.ndarray, boxes: np.ndarray, rounds: int = 300) -> np.ndarray:
    """float64 (n, 2): centres for labels of widths and heights `boxes` (n, 2), just above `points` and then moved by
    small steps until none lies on another or on a point, or `rounds` are over."""
    centres = points + np.array([0.0, 0.1])
    need = (boxes[:, None] + boxes[None]) / 2
    clear = np.broadcast_to((boxes[:, None] + DOT) / 2, need.shape)
    tilt = np.arange(len(points)) * 1e-4  # parts labels that lie exactly on each other
    for _ in range(rounds):
        labels = centres[:, None] - centres[None] + (tilt[:, None] - tilt[None])[..., None]
        step, clashes = _push(labels, need, 0.25, own=False)
        away, covered = _push(centres[:, None] - points[None], clear, 0.15, own=True)
        if not clashes and not covered:
            break
        centres += (step + away).clip(-0.1, 0.1)
    return centres


def _push(gap: np.ndarray, need: np.ndarray, strength: float, own: bool) -> tuple[np.ndarray, int]:
    """A step (n, 2) that parts boxes whose centres are `gap` apart but ought to be `need`, and how many clash."""
    overlap = need - np.abs(gap)
    clash = (overlap > 1e-3).all(-1)
    if not own:
        np.fill_diagonal(clash, val=False)
    vertical = overlap[..., 1] <= overlap[..., 0]
    size = np.where(clash, strength, 0.0)
    across = (size * ~vertical * np.sign(gap[..., 0]) * overlap[..., 0]).sum(1)
    down = (size * vertical * np.sign(gap[..., 1]) * overlap[..., 1]).sum(1)
    return np.stack([across, down], axis=1), int(clash.sum())
