"""Figure 1: what one pair's groundings say; boxes of the picture and segments of the caption in one colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from avterm.corpus.words import Word
from avterm.report.style import LIGHT, Theme, bare, colour, drawing, loudness_range, new_figure, say_instead, shown
from avterm.store.groundings import PairGroundings
from avterm.units import frames_in, seconds_in

LINES, LINE = 4, 0.085  # of words below the spectrogram, and the height of one, as a share of it
WORD_SHARE = 0.3  # a word belongs to a segment that covers this share of it (section 5)


@dataclass(frozen=True)
class GroundedPair:
    """What Figure 1 draws: parts that are missing are None or empty, and the figure says so."""

    groundings: PairGroundings
    picture: np.ndarray | None  # uint8 (H, W, 3)
    mel: np.ndarray | None  # (frames, 40) log-mel energies
    words: list[Word]
    names: list[str]  # one a grounding: its speech cluster's name or label


def draw_grounding(pair: GroundedPair, theme: Theme = LIGHT) -> Figure:
    """Figure 1 for one pair: boxes and segments of the same grounding share a colour and a number, best score first."""
    with drawing(theme):
        figure = new_figure(7.2, 2.75)
        left, right = figure.subplots(1, 2, width_ratios=(_picture_share(pair), 1.0))
        _draw_picture(bare(left), pair)
        _draw_caption(right, pair, theme)
        if not len(pair.groundings):
            say_instead(figure, "no groundings")
    return figure


def word_owner(word: Word, segments: np.ndarray) -> int | None:
    """Which of `segments` (n, 2) in frames covers at least 30% of the word; the one that covers most; None: none."""
    start, end = word.start * 100, word.end * 100
    if end <= start or not len(segments):
        return None
    inside = np.minimum(segments[:, 1], end) - np.maximum(segments[:, 0], start)
    best = int(np.argmax(inside))
    return best if inside[best] >= WORD_SHARE * (end - start) else None


def _picture_share(pair: GroundedPair) -> float:
    width, height = pair.groundings.size
    return float(np.clip(0.5 * width / max(height, 1), 0.28, 0.62))


def _draw_picture(axes: Axes, pair: GroundedPair) -> None:
    width, height = pair.groundings.size
    if pair.picture is None:
        axes.set_title("picture not found", fontweight="normal")
        axes.set_facecolor("#8882")
    else:
        axes.imshow(pair.picture, extent=(0, width, height, 0), interpolation="lanczos")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    taken: set[tuple[int, int]] = set()
    for i in reversed(range(len(pair.groundings))):
        x0, y0, x1, y1 = (float(v) for v in pair.groundings.pixels()[i])
        inset = 0.006 * max(width, height)  # boxes on the picture's border stay whole
        x0, y0, x1, y1 = max(x0, inset), max(y0, inset), min(x1, width - inset), min(y1, height - inset)
        halo = [withStroke(linewidth=3.6, foreground="#000000a0")]
        axes.add_patch(
            Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour(i), linewidth=1.8, path_effects=halo)
        )
        column = 0
        while (key := (round((x0 / width + 0.06 * column) * 50), round(y0 / height * 50))) in taken:
            column += 1
        taken.add(key)
        _badge(axes, x0 + 0.06 * width * column, y0, i, "left", "top")


def _badge(axes: Axes, x: float, y: float, index: int, across: str, down: str) -> None:
    box = {"boxstyle": "square,pad=0.18", "facecolor": colour(index), "edgecolor": "none"}
    axes.text(
        x, y, str(index + 1), ha=across, va=down, fontsize=7, fontweight="bold", color=_on(colour(index)), bbox=box
    )


def _on(background: str) -> str:
    red, green, blue = (int(background[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 125 else "#ffffff"


def _draw_caption(axes: Axes, pair: GroundedPair, theme: Theme) -> None:
    frames = max(pair.groundings.frames, 1)
    end = seconds_in(frames)
    axes.set_xlim(0, end)
    axes.set_ylim(-0.42, 1.14)
    if pair.mel is not None and len(pair.mel):
        low, high = loudness_range(pair.mel)
        axes.imshow(
            pair.mel.astype(np.float32).T,
            origin="lower",
            aspect="auto",
            extent=(0, seconds_in(len(pair.mel)), 0, 1),
            cmap=theme.heat,
            vmin=low,
            vmax=high,
            interpolation="nearest",
        )
    else:
        axes.set_title("sound not found", fontweight="normal")
    for i, (start, stop) in enumerate(pair.groundings.segment.tolist()):
        left, width = seconds_in(start), seconds_in(stop - start)
        axes.add_patch(Rectangle((left, 0), width, 1, facecolor=colour(i), alpha=0.28, linewidth=0))
        axes.add_patch(Rectangle((left, 0), width, 1, fill=False, edgecolor=colour(i), linewidth=1.6))
        _badge(axes, left + width / 2, 1.065, i, "center", "center")
    _draw_words(axes, pair, theme)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("seconds")


def _draw_words(axes: Axes, pair: GroundedPair, theme: Theme) -> None:
    """The words in the colour of the segment that holds them; where no words are known, the names of the segments."""
    segments = pair.groundings.segment
    if pair.words:
        spoken = [w for w in pair.words if frames_in((w.start + w.end) / 2) <= pair.groundings.frames]
        items = [(w.start, w.end, shown(w.word, 18), word_owner(w, segments)) for w in spoken]
    else:
        times = [(seconds_in(start), seconds_in(stop)) for start, stop in segments.tolist()]
        items = [(*times[i], shown(pair.names[i], 16), i) for i in np.argsort(segments[:, 0]).tolist()]
    rows = _rows([(start + end) / 2 for start, end, _, _ in items], [text for _, _, text, _ in items], pair)
    for (start, end, text, owner), row in zip(items, rows, strict=True):
        if owner is not None:
            axes.add_patch(Rectangle((start, -0.045), end - start, 0.03, facecolor=colour(owner), linewidth=0))
        axes.text(
            (start + end) / 2,
            -0.1 - LINE * row,
            text,
            ha="center",
            va="center",
            fontsize=7,
            fontweight="bold" if owner is not None else "normal",
            color=theme.ink if owner is not None else theme.faint,
            parse_math=False,
        )


def _rows(middles: list[float], texts: list[str], pair: GroundedPair) -> list[int]:
    """Which line each text stands on so that neighbours do not touch: the first that is free."""
    inch = seconds_in(pair.groundings.frames) / (6.9 / (1 + _picture_share(pair)))  # seconds an inch of the axis holds
    free = [-1e9] * LINES
    rows = []
    for middle, text in zip(middles, texts, strict=True):
        half = (0.038 * len(text) + 0.035) * inch
        row = next((r for r in range(LINES) if free[r] <= middle - half), int(np.argmin(free)))
        free[row] = middle + half
        rows.append(row)
    return rows
