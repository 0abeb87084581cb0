"""Small questions over a screen: a line of text, a number, a cluster to merge into."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from avterm.errors import printable
from avterm.tui.rows import filter_rows
from avterm.tui.session import LETTER, Session
from avterm.tui.widgets.entry import Entry
from avterm.tui.widgets.table import Cell, Column, Table


class TextPrompt(ModalScreen[str | None]):
    """A line of text; None when it is left with escape."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]  # noqa: RUF012

    def __init__(self, title: str, text: str = "", placeholder: str = "") -> None:
        super().__init__()
        self._title, self._text, self._placeholder = title, text, placeholder

    def compose(self) -> ComposeResult:
        """A title and an input."""
        with Vertical(classes="prompt"):
            yield Label(printable(self._title), markup=False)
            yield Entry(self._text, placeholder=self._placeholder, max_length=1000, select_on_focus=False)

    def on_key(self, event: events.Key) -> None:
        """Letters typed while this screen was opening belong to the text."""
        self.query_one(Entry).type_ahead(event)

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        """Enter."""
        self.dismiss(event.value)


class MergePrompt(ModalScreen[int | None]):
    """A cluster of the same modality, the nearest first; typing filters, enter takes the one under the cursor."""

    BINDINGS = [  # noqa: RUF012
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
    ]

    def __init__(self, session: Session, modality: str, cluster: int) -> None:
        super().__init__()
        self.session, self.modality, self.cluster = session, modality, cluster
        self._rows = {row.cluster: row for row in session.rows(modality)}
        self._nearest: list[tuple[int, float]] = []
        self._shown: list[tuple[int, float]] = []

    def compose(self) -> ComposeResult:
        """A title, an input and the clusters."""
        with Vertical(classes="prompt -tall"):
            yield Label(f"Merge {LETTER[self.modality]}{self.cluster} into", markup=False)
            yield Entry(placeholder="number, name or label")
            yield Table(
                [
                    Column("cluster", "#", 6, right=True),
                    Column("distance", "Distance", 9, right=True),
                    Column("size", "Size", 8, right=True),
                    Column("title", "Name", 12, stretch=True),
                ],
                empty="no such cluster",
            )

    def on_key(self, event: events.Key) -> None:
        """Letters typed while this screen was opening belong to the text."""
        self.query_one(Entry).type_ahead(event)

    async def on_mount(self) -> None:
        """Measure the distances in a thread."""
        self.run_worker(self._measure())

    async def _measure(self) -> None:
        limit = len(self._rows)
        self._nearest = await asyncio.to_thread(self.session.nearest, self.modality, self.cluster, limit)
        self._fill("")

    @on(Input.Changed)
    def filter(self, event: Input.Changed) -> None:
        """Keep what fits."""
        self._fill(event.value)

    @on(Input.Submitted)
    @on(Table.Chosen)
    def take(self) -> None:
        """The cluster under the cursor."""
        if self._shown:
            self.dismiss(self._shown[self.query_one(Table).cursor][0])

    def action_move(self, rows: int) -> None:
        """Arrows move in the table while the input has the focus."""
        self.query_one(Table).action_move(rows)

    def _fill(self, query: str) -> None:
        kept = {row.cluster for row in filter_rows(list(self._rows.values()), query)}
        text = query.strip().lstrip("#SsIi")
        if text.isdigit():
            kept = {int(text)}
        self._shown = [(c, d) for c, d in self._nearest if c in kept]
        self.query_one(Table).fill(len(self._shown), self._cells, 0)

    def _cells(self, number: int) -> Sequence[Cell]:
        cluster, distance = self._shown[number]
        row = self._rows[cluster]
        return [str(cluster), f"{distance:.3f}", f"{row.size:,}", row.title]
