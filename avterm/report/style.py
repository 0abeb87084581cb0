"""How every figure looks: sizes, colours and type, for paper and for a dark screen; and how a figure is saved.

Colours are Okabe and Ito's, which readers with any common colour blindness tell apart; wherever colour links two
things, a number says the same. Figures are drawn on `Figure` objects: no window, no global state of pyplot.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from avterm.errors import printable
from avterm.store.atomic import replacing

# Okabe and Ito's seven hues, then three that stay apart from them in lightness: a pair has ten groundings at most.
PALETTE = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#8A8A8A",
    "#7F3C8D",
    "#9A6324",
)
LOUDNESS = 10.5  # of natural logarithm of energy, 46 dB
SCRIPTS = ("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Devanagari", "Noto Sans Arabic", "FreeSans")


@dataclass(frozen=True)
class Theme:
    """The colours of paper or of a dark screen."""

    name: str
    paper: str
    ink: str
    faint: str
    grid: str
    accent: str
    second: str
    heat: str  # name of matplotlib's colour map for spectrograms and affinities


LIGHT = Theme("light", "#ffffff", "#1b1f24", "#5d6672", "#e3e6ea", "#0072B2", "#D55E00", "Greys")
DARK = Theme("dark", "#15191f", "#e7eaee", "#9aa4b1", "#2b323b", "#56B4E9", "#E69F00", "magma")


def loudness_range(mel: np.ndarray) -> tuple[float, float]:
    """The log-mel energies that are drawn as silence and as loudest: 46 dB apart at most, so that neither the empty
    bands of a recording at 8 kHz nor digital silence wash the rest out. Any shape; values that are not finite are 0."""
    values = np.nan_to_num(np.asarray(mel, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, [5, 99.5]))
    return max(low, high - LOUDNESS), max(high, low + 1e-3)


def colour(index: int) -> str:
    """The colour of the index-th grounding of a pair; after ten they repeat."""
    return PALETTE[index % len(PALETTE)]


@contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """Everything drawn inside has the theme's colours and the house's type."""
    settings: Any = {  # matplotlib's names
        "font.family": ["DejaVu Sans", *_other_scripts()],
        "font.size": 8.5,
        "axes.titlesize": 9.5,
        "axes.labelsize": 8.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
        "axes.axisbelow": True,
        "axes.facecolor": theme.paper,
        "axes.edgecolor": theme.faint,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "figure.facecolor": theme.paper,
        "figure.dpi": 150,
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "text.color": theme.ink,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.frameon": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "avterm",
        "savefig.facecolor": theme.paper,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a script that no installed font draws
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, laid out by constraints, drawn by Agg."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def say_instead(figure: Figure, message: str) -> Figure:
    """`figure` with a line in place of what could not be drawn."""
    figure.text(0.5, 0.5, message, ha="center", va="center", parse_math=False)
    return figure


def bare(axes: Axes) -> Axes:
    """`axes` without ticks and frame, for pictures."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def shown(text: str, limit: int = 40) -> str:
    """`text` on one printable line of at most `limit` characters. Draw it with parse_math=False."""
    line = printable(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def save_figure(figure: Figure, stem: Path, theme: Theme = LIGHT) -> list[Path]:
    """Write `stem`.png at 200 dpi and `stem`.svg, each whole or not at all; same figure, same bytes."""
    paths = []
    for ending in ("png", "svg"):
        path = stem.with_name(f"{stem.name}.{ending}")
        with replacing(path) as temporary:
            temporary.write_bytes(encoded(figure, ending, theme, dpi=200))
        paths.append(path)
    return paths


def encoded(figure: Figure, kind: str, theme: Theme = LIGHT, dpi: int = 150) -> bytes:
    """The bytes of a `png` or `svg` of the figure."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with drawing(theme):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


@cache
def _other_scripts() -> tuple[str, ...]:
    installed = set(font_manager.get_font_names())
    return tuple(name for name in SCRIPTS if name in installed)
