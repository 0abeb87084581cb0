"""Figure 2: variance foretells quality; purity × ln(size) of each speech cluster against its variance."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from avterm.report.style import LIGHT, Theme, drawing, new_figure, say_instead, shown


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float] | None:
    """Slope, intercept and Pearson's r of the least-squares line; None for fewer than 2 distinct x."""
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    slope, intercept = np.polyfit(x, y, 1)
    r = float(np.corrcoef(x, y)[0, 1]) if np.ptp(y) > 0 else 0.0
    return float(slope), float(intercept), r


def draw_purity(
    variance: np.ndarray, purity: np.ndarray, size: np.ndarray, names: list[str], theme: Theme = LIGHT
) -> Figure:
    """Figure 2 from one value a cluster; clusters without members, variance or purity are left out."""
    known = (size > 0) & np.isfinite(variance) & np.isfinite(purity)
    x, y = variance[known], purity[known] * np.log(np.maximum(size[known], 1))
    with drawing(theme):
        figure = new_figure(4.6, 3.3)
        if not len(x):
            return say_instead(figure, "no cluster has both a variance and a purity")
        axes = figure.subplots()
        axes.grid(visible=True)
        axes.scatter(x, y, s=14, color=theme.accent, alpha=0.55 if len(x) > 100 else 0.8, linewidths=0)
        line = fit_line(x, y)
        if line is not None:
            slope, intercept, r = line
            ends = np.array([x.min(), x.max()])
            axes.plot(ends, slope * ends + intercept, color=theme.second, linewidth=1.6)
            text = f"least squares: slope {slope:.2f}, r = {r:.2f}".replace("-", "−")
            axes.set_title(text, fontweight="normal", fontsize=8.5)
        kept = [name for name, keep in zip(names, known, strict=True) if keep]
        for i in _worth_naming(x, y):
            axes.annotate(
                shown(kept[i], 22),
                (x[i], y[i]),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=7,
                color=theme.faint,
                parse_math=False,
            )
        axes.margins(x=0.1, y=0.1)
        axes.set_xlabel("cluster variance")
        axes.set_ylabel("purity × ln(cluster size)")
    return figure


def _worth_naming(x: np.ndarray, y: np.ndarray, most: int = 8) -> list[int]:
    """The highest points, skipping those whose name would lie on another's."""
    chosen: list[int] = []
    width, height = max(float(np.ptp(x)), 1e-9), max(float(np.ptp(y)), 1e-9)
    for i in np.argsort(-y, kind="stable")[: max(len(y) // 3, most)]:
        clear = all(abs(x[i] - x[j]) > 0.22 * width or abs(y[i] - y[j]) > 0.055 * height for j in chosen)
        if clear:
            chosen.append(int(i))
        if len(chosen) == most:
            break
    return chosen
