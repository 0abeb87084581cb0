"""A table that builds only the rows on screen, so that a million rows open and scroll like ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from avterm.errors import printable
from avterm.tui.keys import bindings

Cell = str | tuple[str, str]  # text, or text and a Rich style

LONGEST = 300  # characters of a cell that are looked at


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `width` in cells, at least; columns with `stretch` share what is left of the window, up to `most`."""

    key: str
    title: str
    width: int
    right: bool = False
    stretch: bool = False
    most: int = 1 << 16


class Table(ScrollView, can_focus=True):
    """Rows are asked for by number when they come into view. Cells are made safe here: no markup, no control codes."""

    BINDINGS = bindings("table")
    COMPONENT_CLASSES = {"table--title", "table--cursor", "table--cursor-blurred", "table--odd"}  # noqa: RUF012
    DEFAULT_CSS = """
    Table { height: 1fr; background: $surface; scrollbar-size: 0 1; }
    Table > .table--title { background: $panel; color: $text-muted; text-style: bold; }
    Table > .table--cursor { background: $primary; color: $text; text-style: bold; }
    Table > .table--cursor-blurred { background: $primary 35%; }
    Table > .table--odd { background: $boost; }
    """

    cursor: reactive[int] = reactive(0, always_update=False)

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, table: Table, row: int) -> None:
            super().__init__()
            self.table, self.row = table, row

        @property
        def control(self) -> Table:
            """The table."""
            return self.table

    class Chosen(Moved):
        """Enter, or a double click, on a row."""

    class Titled(Message):
        """A click on a column's title."""

        def __init__(self, table: Table, key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> Table:
            """The table."""
            return self.table

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, empty: str = "nothing here") -> None:
        super().__init__(id=id)
        self.columns = list(columns)
        self.empty = empty
        self.sorted_by: tuple[str, bool] | None = None  # column and whether it falls
        self._count = 0
        self._row: Callable[[int], Sequence[Cell]] = lambda number: ()

    def fill(self, count: int, row: Callable[[int], Sequence[Cell]], cursor: int | None = None) -> None:
        """Show `count` rows; `row(number)` gives a cell a column and must not block."""
        self._count, self._row = count, row
        self._measure()
        self.cursor = max(0, min(self.cursor if cursor is None else cursor, count - 1))
        self.show_cursor()
        self.refresh()

    def __len__(self) -> int:
        return self._count

    def on_resize(self) -> None:
        """Columns that stretch take what the window gives."""
        self._measure()
        self.show_cursor()

    def visible_rows(self) -> range:
        """Numbers of the rows on screen."""
        first = int(self.scroll_offset.y)
        return range(first, min(self._count, first + max(self.size.height - 1, 0)))

    def render_line(self, y: int) -> Strip:
        """One line of the window: the titles, then rows."""
        width = self.size.width
        left = int(self.scroll_offset.x)
        if y == 0:
            strip, style = self._titles(), self.get_component_rich_style("table--title")
        else:
            number = int(self.scroll_offset.y) + y - 1
            if number >= self._count:
                text = self.empty if y == 1 and not self._count else ""
                return Strip([Segment(set_cell_size(f" {text}" if text else "", width), self.rich_style)])
            style = self._row_style(number)
            strip = Strip(self._segments(self._row(number)))
        return strip.crop(left, left + width).extend_cell_length(width).apply_style(style)

    def show_cursor(self) -> None:
        """Scroll so that the cursor's row is on screen."""
        height = max(self.size.height - 1, 1)
        top = int(self.scroll_offset.y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, self._count - 1))

    def watch_cursor(self) -> None:
        """Follow the cursor and tell whoever listens."""
        self.show_cursor()
        self.refresh()
        if self._count:
            self.post_message(self.Moved(self, self.cursor))

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor looks different without focus."""
        super().watch_has_focus(has_focus)
        self.refresh()

    def action_move(self, rows: int) -> None:
        """Up or down."""
        self.cursor += rows

    def action_page(self, direction: int) -> None:
        """A page up or down."""
        self.cursor += direction * max(self.size.height - 2, 1)

    def action_edge(self, direction: int) -> None:
        """The first or the last row."""
        self.cursor = 0 if direction < 0 else self._count - 1

    def action_slide(self, cells: int) -> None:
        """Scroll sideways."""
        self.scroll_to(x=self.scroll_offset.x + cells, animate=False)

    def action_choose(self) -> None:
        """Open the row."""
        if self._count:
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A row, its double click, or a title."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            x = offset.x + int(self.scroll_offset.x)
            for column, width in zip(self.columns, self._widths(), strict=True):
                if x < width + 1:
                    self.post_message(self.Titled(self, column.key))
                    return
                x -= width + 1
            return
        row = int(self.scroll_offset.y) + offset.y - 1
        if row < self._count:
            self.cursor = row
            if event.chain == 2:
                self.action_choose()

    def _measure(self) -> None:
        self.virtual_size = Size(sum(self._widths()) + len(self.columns), self._count + 1)

    def _widths(self) -> list[int]:
        spare = self.size.width - sum(c.width for c in self.columns) - len(self.columns)
        elastic = sum(c.stretch for c in self.columns)
        if spare <= 0 or not elastic:
            return [c.width for c in self.columns]
        return [min(c.width + spare // elastic, max(c.most, c.width)) if c.stretch else c.width for c in self.columns]

    def _titles(self) -> Strip:
        """The mark of the order stands in the gap after its column, which every title leaves free."""
        segments = []
        for column, width in zip(self.columns, self._widths(), strict=True):
            ordered = self.sorted_by is not None and self.sorted_by[0] == column.key
            mark = ("▼" if self.sorted_by[1] else "▲") if ordered and self.sorted_by else " "
            segments.append(Segment(fit(column.title, width, column.right) + mark))
        return Strip(segments)

    def _segments(self, cells: Sequence[Cell]) -> list[Segment]:
        segments = []
        for column, width, cell in zip(self.columns, self._widths(), cells, strict=False):
            text, style = (cell, None) if isinstance(cell, str) else (cell[0], Style.parse(cell[1]))
            segments.append(Segment(fit(text, width, column.right) + " ", style))
        return segments

    def _row_style(self, number: int) -> Style:
        if number == self.cursor:
            return self.get_component_rich_style("table--cursor" if self.has_focus else "table--cursor-blurred")
        return self.get_component_rich_style("table--odd") if number % 2 else self.rich_style


def fit(text: str, width: int, right: bool = False) -> str:
    """`text`, made printable, in exactly `width` cells; what does not fit ends in `…`."""
    text = printable(text[:LONGEST])
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(width - 1, 0)) + ("…" if width else "")
    return " " * (width - length) + text if right else text + " " * (width - length)
