"""The affinity between image and speech clusters (Equation 2) as a heat map whose links lie on its diagonal."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.optimize import linear_sum_assignment

from avterm.report.style import LIGHT, Theme, drawing, new_figure, say_instead, shown

LEAVES = 300  # clusters whose best order is searched for; more are ordered by the tree alone
NAMED = 60  # clusters a side that still leave room for names
PIXELS = 250  # cells a side that an eye still sees one by one


def per_member(affinity: np.ndarray, image_size: np.ndarray, speech_size: np.ndarray) -> np.ndarray:
    """Affinity over the geometric mean of the two sizes, none below 0: large clusters do not drown small ones."""
    scale = np.sqrt(np.outer(np.maximum(image_size, 1), np.maximum(speech_size, 1)))
    return np.maximum(affinity, 0) / scale


def diagonal_order(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orders of the rows and the columns that put the best one-to-one links on the diagonal, pairs that go with the
    same clusters beside each other, so that several clusters of one word make a block; those without a link follow."""
    rows, columns = linear_sum_assignment(values, maximize=True)
    linked = values[rows, columns] > 0
    order = _seriate(values[np.ix_(rows[linked], columns[linked])])
    rows, columns = rows[linked][order], columns[linked][order]
    spare_rows = np.setdiff1d(np.arange(values.shape[0]), rows)
    spare_columns = np.setdiff1d(np.arange(values.shape[1]), columns)
    return np.concatenate([rows, spare_rows]), np.concatenate([columns, spare_columns])


def _seriate(values: np.ndarray) -> np.ndarray:
    """An order of square `values` in which neighbours have alike rows and columns; the stronger end comes first."""
    if len(values) < 3:
        return np.argsort(-np.diag(values), kind="stable")
    profiles = np.concatenate([values, values.T], axis=1)
    profiles /= np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
    tree = linkage(profiles, "average", optimal_ordering=len(values) <= LEAVES)
    order = leaves_list(tree).astype(np.int64)
    strength = np.diag(values)[order]
    half = len(order) // 2
    return order if strength[:half].sum() >= strength[-half:].sum() else order[::-1]


def shrink(values: np.ndarray, limit: int = PIXELS) -> np.ndarray:
    """`values` with at most `limit` rows and columns: each cell is the largest of those that it stands for."""
    for axis in (0, 1):
        count = values.shape[axis]
        if count > limit:
            starts = np.unique(np.linspace(0, count, limit, endpoint=False).astype(np.int64))
            values = np.maximum.reduceat(values, starts, axis=axis)
    return values


def draw_affinity(
    affinity: np.ndarray,
    image_size: np.ndarray,
    speech_size: np.ndarray,
    speech_names: list[str],
    theme: Theme = LIGHT,
) -> Figure:
    """The heat map of (k_image, k_speech) affinities; names stand at the columns where there is room."""
    with drawing(theme):
        if not affinity.size:
            return say_instead(new_figure(4, 2), "no clusters")
        values = per_member(affinity, image_size, speech_size)
        rows, columns = diagonal_order(values)
        named = len(columns) <= NAMED
        side = float(np.clip(0.13 * len(columns), 3.4, 6.2)) if named else 4.6
        figure = new_figure(side + 1.2, side + (0.9 if named else 0.3))
        axes = figure.subplots()
        shape = affinity.shape
        picture = axes.imshow(
            shrink(values[np.ix_(rows, columns)]),
            cmap="cividis" if theme.name == "dark" else "Blues",
            norm=PowerNorm(0.5, vmin=0, vmax=max(float(values.max()), 1e-9)),  # weak links show beside strong ones
            extent=(-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5),
            interpolation="nearest",
            aspect="auto",
        )
        for spine in axes.spines.values():
            spine.set_visible(True)
        axes.set_ylabel(f"{shape[0]} image clusters, by the speech cluster that they link to")
        axes.set_xlabel(f"{shape[1]} speech clusters")
        if named:
            labels = [shown(speech_names[c], 18) for c in columns]
            axes.set_xticks(range(len(columns)), labels, rotation=90, fontsize=7, parse_math=False)
            axes.set_yticks(range(len(rows)), [str(r) for r in rows], fontsize=6)
        bar = figure.colorbar(picture, ax=axes, fraction=0.04, pad=0.02)
        bar.set_label("affinity ÷ √(sizes)", fontsize=8)
        bar.outline.set_visible(False)
    return figure
