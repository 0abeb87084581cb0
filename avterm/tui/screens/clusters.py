"""All clusters in a table: the paper's quality signal first, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input, Static

from avterm.errors import printable
from avterm.tui.keys import bindings
from avterm.tui.messages import OpenCluster
from avterm.tui.rows import COLUMNS, ClusterRow, cells, columns_of, filter_rows, sort_rows
from avterm.tui.screens.page import ClusterListPage
from avterm.tui.screens.prompts import TextPrompt
from avterm.tui.session import OTHER, Session
from avterm.tui.widgets.entry import Entry
from avterm.tui.widgets.keybar import KeyBar
from avterm.tui.widgets.table import Cell, Column, Table

STRETCHED = ("name", "label")
WIDEST = 20  # cells of a name or label: wider, and the eye loses the row
LEFT = ("name", "label", "state")


class ClustersPage(ClusterListPage):
    """The first screen. Sorted by variance, lowest first, which needs no transcript (section 5)."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("clusters")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.modality = "speech"
        self.sort, self.falling = "variance", False
        self._all: list[ClusterRow] = []
        self._shown: list[ClusterRow] = []
        self._columns: list[str] = []

    def compose(self) -> ComposeResult:
        """A title line, the filter, the table."""
        yield Static(id="title", markup=False)
        yield Entry(placeholder="filter: words, size>100, variance<0.65, state:accepted, #12", id="filter")
        yield Table([], id="clusters", empty="no cluster matches")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what was computed at once; decisions are read aside."""
        self.query_one("#filter").display = False
        self.reload()
        self.query_one("#clusters").focus()
        self.run_worker(self._read_decisions(), group="curation", exclusive=True)

    async def _read_decisions(self) -> None:
        unplaced = await self.aside(self.session.read_curation)
        if unplaced:
            self.tell(f"{len(unplaced)} decisions fit no cluster of k = {self.session.k}; see `avterm curate list`")
        self.refresh_decisions()
        if not any(row.speakers is not None for row in self.session.rows("speech")):
            self.session.speakers = await self.aside(self.session.count_speakers) or {}
            if self.session.speakers:
                self.reload()

    def reload(self) -> None:
        """Build the rows anew."""
        self._all = self.session.rows(self.modality)
        self._columns = columns_of(self._all)
        if self.sort not in self._columns:
            self.sort, self.falling = "variance", False
        other = "Image" if self.modality == "speech" else "Speech"
        self._table.columns = [
            Column(
                c, other if c == "linked" else COLUMNS[c][0], COLUMNS[c][1],
                right=c not in LEFT, stretch=c in STRETCHED, most=WIDEST,
            )
            for c in self._columns
        ]  # fmt: skip
        self.show()

    def show(self, cluster: int | None = None) -> None:
        """Sort and filter; the cursor stays on its cluster, or goes to `cluster`."""
        if cluster is None and (subject := self.subject()) is not None:
            cluster = subject[1]
        query = self.query_one("#filter", Input).value
        self._shown = sort_rows(filter_rows(self._all, query), self.sort, self.falling)
        self.session.order = [row.cluster for row in self._shown]
        at = next((i for i, row in enumerate(self._shown) if row.cluster == cluster), 0)
        self._table.sorted_by = (self.sort, self.falling)
        self._table.fill(len(self._shown), self._row, at)
        self._title()

    def refresh_decisions(self) -> None:
        """Names and states have changed."""
        self.reload()

    def subject(self) -> tuple[str, int] | None:
        """The cluster under the cursor."""
        if not self._shown:
            return None
        return self.modality, self._shown[min(self._table.cursor, len(self._shown) - 1)].cluster

    @property
    def _table(self) -> Table:
        return self.query_one("#clusters", Table)

    def _row(self, number: int) -> Sequence[Cell]:
        return cells(self._shown[number], self._columns, self.modality)

    def _title(self) -> None:
        run = self.session.run
        rows = f"{len(self._shown)} of {len(self._all)}" if len(self._shown) < len(self._all) else str(len(self._all))
        what = "segments" if self.modality == "speech" else "crops"
        name = printable((run.path.resolve().name or "run")[:40])
        text = Text.assemble((f" {name}", "bold"), f"  {rows} clusters of {what}, k = {self.session.k}")
        text.append(f", {len(self.session.run.groundings):,} groundings", "dim")
        decided = sum(row.state != "new" for row in self._all)
        if decided:
            text.append(f", {decided} decided", "green")
        self.query_one("#title", Static).update(text)

    @on(Table.Chosen, "#clusters")
    def open(self) -> None:
        """Enter."""
        if (subject := self.subject()) is not None:
            self.post_message(OpenCluster(*subject))

    @on(Table.Titled, "#clusters")
    def sort_by(self, event: Table.Titled) -> None:
        """Sort by the column clicked; again: the other way round."""
        falling = not self.falling if event.key == self.sort else COLUMNS[event.key][2]
        self.set_order(event.key, falling)

    def set_order(self, column: str, falling: bool) -> None:
        """Sort by a column."""
        self.sort, self.falling = column, falling
        self.show()

    def action_sort(self, step: int) -> None:
        """The next column."""
        at = (self._columns.index(self.sort) + step) % len(self._columns)
        self.set_order(self._columns[at], COLUMNS[self._columns[at]][2])

    def action_reverse(self) -> None:
        """The other way round."""
        self.set_order(self.sort, not self.falling)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    @on(Input.Changed, "#filter")
    def filtered(self) -> None:
        """As you type."""
        self.show()

    @on(Input.Submitted, "#filter")
    def done(self) -> None:
        """Enter: back to the table, the filter stays."""
        self.query_one("#filter").display = bool(self.query_one("#filter", Input).value)
        self._table.focus()

    def leave_filter(self) -> bool:
        """Escape: end the filter; whether there was one."""
        entry = self.query_one("#filter", Input)
        if not entry.display:
            return False
        entry.value = ""
        entry.display = False
        self._table.focus()
        return True

    def action_jump(self) -> None:
        """Ask for a number."""

        def answer(text: str | None) -> None:
            if text is not None and text.strip():
                self.jump(text.strip())

        self.app.push_screen(TextPrompt("Go to cluster", placeholder="number, name or label"), answer)

    def jump(self, text: str) -> None:
        """Put the cursor on a cluster, by number or else by name or label, and end a filter that hides it."""
        digits = text.lstrip("#SsIi")
        found = [r for r in self._all if digits.isdigit() and r.cluster == int(digits)]
        found = found or [r for r in self._all if text.casefold() in (r.title.casefold(), (r.label or "").casefold())]
        found = found or [r for r in self._all if text.casefold() in r.title.casefold()]
        if not found:
            self.tell(f"no cluster {text!r}", wrong=True)
            return
        if found[0] not in self._shown:
            self.leave_filter()
        self.show(found[0].cluster)

    def action_modality(self) -> None:
        """Segments or crops."""
        self.modality = OTHER[self.modality]
        self._table.cursor = 0
        self._shown = []
        self.reload()

    def action_next_k(self) -> None:
        """The next k that was clustered."""
        ks = self.session.run.ks
        if len(ks) < 2:
            self.tell("there is one k only; cluster with another by `avterm cluster RUN -k K`")
            return
        self.turn_to(ks[(ks.index(self.session.k) + 1) % len(ks)] if self.session.k in ks else ks[0])

    def turn_to(self, k: int) -> None:
        """The clusters of this k."""
        self.run_worker(self._turn(k), group="k", exclusive=True)

    async def _turn(self, k: int) -> None:
        def work() -> bool:
            self.session.choose(k)
            return True

        if await self.aside(work):
            self._shown = []
            self.reload()
            await self._read_decisions()
