"""What is handed over: every grounding with the cluster that it belongs to after curation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from avterm.errors import BadInput, UsageError
from avterm.export.names import file_names
from avterm.report.source import ClusterFacts, Source
from avterm.store.groundings import PairGroundings
from avterm.store.run import Run

KEEP = ("kept", "accepted", "all")


class Discovered:
    """A run's groundings and clusters of one k, less what people rejected."""

    def __init__(
        self,
        run: Run,
        k: int | None = None,
        words: Path | None = None,
        keep: str = "kept",
        below: float = float("inf"),
        ids: Sequence[str] | None = None,
    ) -> None:
        """keep: `kept`: all clusters that nobody rejected, but that of noise; `accepted`: only those; `all`. below:
        only clusters of less variance. ids: only these pairs; BadInput names the first that was not grounded."""
        if keep not in KEEP:
            raise UsageError(f"--keep {keep}: expected one of {', '.join(KEEP)}")
        self.source = Source(run, k, words)
        self.run, self.groundings = run, self.source.groundings
        self.keep, self.below = keep, below
        self.ids = list(dict.fromkeys(ids)) if ids is not None else self.groundings.ids
        missing = next((id for id in self.ids if id not in self.groundings), None)
        if missing is not None:
            raise BadInput(f"{missing!r}: no groundings of this pair in {run.path}")

    @cached_property
    def facts(self) -> list[ClusterFacts]:
        """The clusters that are handed over, by number: with members, not merged into others, not left out."""
        return [self.source.facts[c] for c in range(self.source.k) if self._wanted[c]]

    @cached_property
    def cluster(self) -> np.ndarray:
        """int64 (rows,): the cluster of each grounding after merges; -1 where it was split off or its cluster is left
        out."""
        curation = self.source.curation
        into = np.arange(self.source.k)
        for c in curation.touched():
            merged = curation.merged_into(c)
            into[c] = c if merged is None else merged
        assigned = self.source.clusters.speech.assignment
        found = into[assigned]
        for c in curation.touched():
            rows = np.array(sorted(curation.excluded(c)), np.int64)
            rows = rows[rows < len(found)]
            found[rows[assigned[rows] == c]] = -1
        return np.where((found >= 0) & self._wanted[found], found, -1)

    @cached_property
    def file_names(self) -> dict[str, str]:
        """A safe and distinct file name for every grounded pair, whichever of them are exported."""
        return file_names(self.groundings.ids)

    def title(self, cluster: int) -> str:
        """A cluster's name, else its label, else its number."""
        return self.source.facts[cluster].title

    def pairs(self) -> Iterator[tuple[PairGroundings, np.ndarray]]:
        """Each pair's groundings, and int64 (rows,): their clusters, -1 for what is not handed over."""
        for id in self.ids:
            pair = self.groundings.of_pair(id)
            yield pair, self.cluster[pair.first : pair.first + len(pair)]

    @cached_property
    def _wanted(self) -> np.ndarray:
        return np.array([self._want(fact) for fact in self.source.facts], bool)

    def _want(self, fact: ClusterFacts) -> bool:
        if not fact.size or self.source.curation.merged_into(fact.cluster) is not None:
            return False
        if fact.cluster == self.source.clusters.noise and self.keep != "all":
            return False
        if not np.isinf(self.below) and (fact.variance is None or fact.variance >= self.below):
            return False
        return self.keep == "all" or fact.state == "accepted" or (self.keep == "kept" and fact.state != "rejected")
