"""A cluster's members for a table: read in blocks when they come into view."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from avterm import units
from avterm.tui.session import Member, Session
from avterm.tui.widgets.table import Cell, Column

COLUMNS = (
    Column("rank", "#", 4, right=True),
    Column("label", "Words", 8, stretch=True),
    Column("time", "Seconds", 11, right=True),
    Column("distance", "Dist", 5, right=True),
    Column("id", "Pair", 6, stretch=True),
)


class Members:
    """Rows of a cluster from the centre outwards. `cells` never blocks; `load` does."""

    def __init__(self, session: Session, modality: str, cluster: int) -> None:
        """Blocks: reads the rows and their distances."""
        self.session, self.modality, self.cluster = session, modality, cluster
        self.rows = session.member_rows(modality, cluster)
        self.columns = [c for c in COLUMNS if c.key != "label" or session.knows_words()]
        self.distance = session.side(modality).distance[self.rows] if len(self.rows) else np.empty(0, np.float32)
        self._known: dict[int, Member] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, number: int) -> Member | None:
        """A member that has been read already."""
        return self._known.get(number)

    def fetch(self, number: int) -> Member:
        """Blocks. A member."""
        with self._lock:
            if number not in self._known:
                self._known[number] = self.session.member(int(self.rows[number]))
            return self._known[number]

    def fetch_all(self, numbers: Sequence[int]) -> None:
        """Blocks. Read these members."""
        for number in numbers:
            self.fetch(number)

    def missing(self, wanted: range) -> list[int]:
        """Which of these were not read yet."""
        return [n for n in wanted if n < len(self.rows) and n not in self._known]

    def is_split(self, number: int) -> bool:
        """Whether the member was split off."""
        return self.session.is_split(self.modality, int(self.rows[number]), self.cluster)

    def cells(self, number: int) -> Sequence[Cell]:
        """The member as cells of the table; what was not read yet is `…`."""
        member = self._known.get(number)
        values = {"rank": str(number + 1), "distance": f"{self.distance[number]:.3f}", "id": "…"}
        if member is not None:
            times = f"{units.seconds_in(member.start):.2f}–{units.seconds_in(member.end):.2f}"
            values |= {"label": member.label or "", "time": times, "id": member.id}
        style = "dim strike" if member is not None and self.is_split(number) else ""
        return [(values.get(column.key, ""), style) for column in self.columns]
