"""Training curves: the loss and the recalls of every epoch, from the run's metrics.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from avterm.report.style import LIGHT, Theme, drawing, new_figure
from avterm.training.choice import mean_recall

RECALLS = (("search_r10", "search R@10"), ("annotation_r10", "annotation R@10"))
LOSSES = (("loss", "training loss"), ("val_loss", "validation loss"))

Metrics = list[dict[str, float]]


def read_metrics(path: Path) -> Metrics:
    """One dictionary of numbers an epoch, in order of epoch; the last line of an epoch counts, as after a resume.

    A line that is no such object (cut off by a crash) is skipped; a missing file gives no epochs.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    epochs: dict[float, dict[str, float]] = {}
    for line in text.split("\n"):
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("epoch"), int | float):
            numbers = {k: float(v) for k, v in record.items() if isinstance(v, int | float)}
            epochs[numbers["epoch"]] = numbers
    return [epochs[e] for e in sorted(epochs)]


def draw_curves(metrics: Metrics, theme: Theme = LIGHT) -> Figure:
    """Loss to the left, validation recalls to the right, one mark at the epoch whose model was kept."""
    with drawing(theme):
        figure = new_figure(7.0, 2.7)
        left, right = figure.subplots(1, 2)
        dashes: tuple[Any, ...] = ("-", (0, (4, 1.5)))
        for axes, series, title in ((left, LOSSES, "loss"), (right, RECALLS, "recall on the validation pairs")):
            axes.grid(visible=True)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            for (key, name), ink, dash in zip(series, (theme.accent, theme.second), dashes, strict=True):
                _line(axes, metrics, key, name, ink, dash)
            if axes.get_legend_handles_labels()[1]:
                axes.legend(fontsize=7.5, loc="best")
        right.set_ylim(bottom=0)
        _mark_best(right, metrics, theme)
    return figure


def _line(axes: Axes, metrics: Metrics, key: str, name: str, ink: str, dash: Any) -> None:
    points = np.array([(m["epoch"], m[key]) for m in metrics if np.isfinite(m.get(key, np.nan))])
    if not len(points):
        return
    mark = "o" if len(points) < 3 else None
    axes.plot(points[:, 0], points[:, 1], color=ink, linestyle=dash, linewidth=1.5, label=name, marker=mark)


def kept_epoch(metrics: Metrics) -> float | None:
    """The first of the epochs with the best recall, as training chooses; None without validation."""
    scored = {m["epoch"]: score for m in metrics if (score := mean_recall(m)) is not None}
    return max(scored, key=lambda epoch: (scored[epoch], -epoch)) if scored else None


def _mark_best(axes: Axes, metrics: Metrics, theme: Theme) -> None:
    epoch = kept_epoch(metrics)
    if epoch is None:
        return
    axes.axvline(epoch, color=theme.faint, linewidth=0.8, linestyle=":")
    axes.annotate(
        f"kept: epoch {epoch:.0f}",
        (epoch, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if epoch > len(metrics) / 2 else 4, 0),
        textcoords="offset points",
        ha="right" if epoch > len(metrics) / 2 else "left",
        fontsize=7.5,
        color=theme.faint,
    )
