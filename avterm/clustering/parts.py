"""Long stretches of rows, and where the rows lie: what k-means and affinity hand to workers instead of rows.

Parts are fixed, and what they give is summed up part after part, in this process as in any number of others: so the
result does not depend on where the parts were computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from avterm.clustering import source
from avterm.clustering.source import Rows, Source
from avterm.store.groundings import Groundings

BLOCKS = 64  # of rows, in a part
_MOST_OPEN = 2  # of each kind that a process keeps: both modalities
_rows: dict[Stored, Rows] = {}
_sources: dict[tuple[Stored, bool], Source] = {}
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Part:
    """The rows from `first` to before `stop`; `number` counts the parts."""

    number: int
    first: int
    stop: int

    @property
    def firsts(self) -> range:
        """Where the part's blocks begin."""
        return range(self.first, self.stop, source.BLOCK)


def parts_of(count: int) -> Sequence[Part]:
    """All parts of so many rows, in order."""
    rows = BLOCKS * source.BLOCK
    return [Part(i, first, min(first + rows, count)) for i, first in enumerate(range(0, count, rows))]


@dataclass(frozen=True)
class Stored:
    """Embeddings of one modality in a folder of groundings."""

    folder: Path
    modality: str
    digest: str  # of the groundings: a worker that has other ones open opens these

    def rows(self) -> Rows:
        """Opened here."""
        return Groundings(self.folder).embeddings(self.modality)


def rows_of(rows: Rows | Stored) -> Rows:
    """Rows to read; opened once by a process that is asked for them again and again."""
    return _kept(_rows, rows, rows.rows) if isinstance(rows, Stored) else rows


def source_of(rows: Source | Stored, unit: bool) -> Source:
    """Rows to read blocks of, opened once as above."""
    if isinstance(rows, Source):
        return rows
    return _kept(_sources, (rows, unit), lambda: Source(rows.rows(), unit))


def _kept(there: dict[Key, Value], key: Key, make: Callable[[], Value]) -> Value:
    if key not in there:
        while len(there) >= _MOST_OPEN:
            del there[next(iter(there))]
        there[key] = make()
    return there[key]
