"""The command palette: every cluster that has a name or label, orders of the table, every k, and decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from avterm.errors import printable
from avterm.tui.rows import COLUMNS
from avterm.tui.screens.clusters import ClustersPage
from avterm.tui.screens.page import CuratePage
from avterm.tui.session import LETTER

MOST = 30  # clusters offered at a time


class BrowseCommands(Provider):
    """What can be asked for by typing."""

    async def discover(self) -> Hits:
        """Shown before anything is typed."""
        for text, help, run in self._actions():
            yield DiscoveryHit(text, run, help=help)

    async def search(self, query: str) -> Hits:
        """Actions, then clusters, that match what was typed."""
        matcher = self.matcher(query)
        for text, help, run in self._actions():
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, matcher.highlight(text), run, help=help)
        offered = 0
        for text, run in self._clusters():
            score = matcher.match(text)
            if score > 0 and offered < MOST:
                offered += 1
                yield Hit(score, matcher.highlight(text), run, help="Open the cluster")

    def _actions(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        app, screen = self.app, self.screen
        for name, help in (("map", "The map of the clusters"), ("search", "Search by a sound or a picture"),
                           ("help", "Every key")):  # fmt: skip
            yield name.capitalize(), help, partial(app.run_action, name)
        if isinstance(screen, ClustersPage):
            for column in screen._columns:
                title = "Linked cluster" if column == "linked" else column.capitalize()
                order = partial(screen.set_order, column, COLUMNS[column][2])
                yield f"Sort by {title.lower()}", "Order of the table", order
            for k in screen.session.run.ks:
                yield f"Clusters of k = {k}", "Turn to another k", partial(screen.turn_to, k)
        if isinstance(screen, CuratePage):
            for text, action in (
                ("Name the cluster", "name"), ("Write a note", "note"), ("Accept", "state('accepted')"),
                ("Reject", "state('rejected')"), ("Merge into another", "merge"), ("Undo", "undo"), ("Redo", "redo"),
            ):  # fmt: skip
                yield text, "A decision about the cluster under the cursor", partial(screen.run_action, action)

    def _clusters(self) -> Iterator[tuple[str, Callable[[], object]]]:
        session = getattr(self.app, "session", None)
        show = getattr(self.app, "show_cluster", None)
        if session is None or show is None:
            return
        for modality in LETTER:
            for row in session.rows(modality):
                if row.name or (modality == "speech" and row.label):
                    text = f"{LETTER[modality]}{row.cluster} {printable(row.title[:60])}"
                    yield text, partial(show, modality, row.cluster)
