"""Clusters as points in the plane, one character each, with a cursor that walks from point to point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from avterm.errors import printable


@dataclass(frozen=True, slots=True)
class Point:
    """How a cluster looks on the map."""

    glyph: str
    style: str
    title: str


class Scatter(Widget, can_focus=True):
    """`fill` gives points in the unit square (y down; NaN: none) and their looks; titles stand where there is room."""

    COMPONENT_CLASSES = {"scatter--cursor"}  # noqa: RUF012
    DEFAULT_CSS = """
    Scatter { height: 1fr; width: 1fr; background: $surface; }
    Scatter > .scatter--cursor { background: $primary; color: $text; text-style: bold; }
    """

    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor stands on another point."""

        def __init__(self, cursor: int) -> None:
            super().__init__()
            self.cursor = cursor

    class Chosen(Moved):
        """A double click on a point."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.points: np.ndarray = np.empty((0, 2), np.float32)
        self._looks: Sequence[Point] = ()
        self._ranks: Sequence[int] = ()
        self._lines: list[list[tuple[str, Style | None]]] | None = None

    def fill(self, points: np.ndarray, looks: Sequence[Point], ranks: Sequence[int]) -> None:
        """`ranks`: the points' numbers, those first whose title matters most."""
        self.points, self._looks, self._ranks = points, looks, ranks
        self._again()

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self._again()

    def watch_cursor(self) -> None:
        """Show and tell."""
        self._again()
        self.post_message(self.Moved(self.cursor))

    def render_line(self, y: int) -> Strip:
        """One line of the map."""
        if self._lines is None:
            self._lines = self._layout()
        line = self._lines[y] if y < len(self._lines) else []
        strip = Strip([Segment(text, style) for text, style in line], self.size.width)
        return strip.simplify().apply_style(self.rich_style)  # a stretch of one style is one piece for the terminal

    def cells(self) -> np.ndarray:
        """int64 (n, 2): column and line of every point; -1 where there is none."""
        width, height = max(self.size.width - 2, 1), max(self.size.height, 1)
        scaled = np.nan_to_num(self.points, nan=-1.0) * [width - 1, height - 1]
        cells = np.round(scaled).astype(np.int64)
        cells[np.isnan(self.points).any(axis=1)] = -1
        return cells

    def on_click(self, event: events.Click) -> None:
        """The nearest point."""
        offset = event.get_content_offset(self)
        if offset is None or not len(self.points):
            return
        cells = self.cells()
        gaps = np.abs(cells[:, 0] - offset.x) + 2 * np.abs(cells[:, 1] - offset.y)
        gaps[cells[:, 0] < 0] = 1 << 30
        self.cursor = int(np.argmin(gaps))
        if event.chain == 2:
            self.post_message(self.Chosen(self.cursor))

    def _again(self) -> None:
        self._lines = None
        self.refresh()

    def _layout(self) -> list[list[tuple[str, Style | None]]]:
        width, height = self.size.width, self.size.height
        grid: list[list[tuple[str, Style | None]]] = [[(" ", None)] * width for _ in range(height)]
        taken = np.zeros((height, width + 1), bool)
        cells = self.cells()
        here = self.cursor if self.cursor < len(cells) and cells[self.cursor, 0] >= 0 else None
        order = [i for i in self._ranks if cells[i, 0] >= 0 and i != here]
        for number in reversed(order):  # the most important ends on top
            x, y = cells[number]
            look = self._looks[number]
            grid[y][x] = (look.glyph, Style.parse(look.style))
            taken[y, x] = True
        cursor = self.get_component_rich_style("scatter--cursor")
        if here is not None:
            x, y = (int(v) for v in cells[here])
            grid[y][x] = (self._looks[here].glyph, cursor)
            taken[y, x] = True
            _write(grid, taken, x, y, self._looks[here].title[:30], cursor, force=True)
        for number in order:
            look = self._looks[number]
            _write(grid, taken, int(cells[number, 0]), int(cells[number, 1]), look.title[:16], Style.parse(look.style))
        return grid


def _write(
    grid: list[list[tuple[str, Style | None]]], taken: np.ndarray, x: int, y: int, title: str, style: Style,
    force: bool = False,
) -> None:  # fmt: skip
    """A title to the right of its point, or to the left, where nothing else stands."""
    text = "".join(c for c in printable(title) if cell_len(c) == 1)  # one cell a letter, so that columns stay columns
    if not text:
        return
    width = len(grid[0])
    for left in (x + 2, x - 1 - len(text)):
        if left >= 0 and left + len(text) < width and (force or not taken[y, left - 1 : left + len(text) + 1].any()):
            for at, letter in enumerate(text, left):
                grid[y][at] = (letter, style)
            taken[y, left : left + len(text)] = True
            return
