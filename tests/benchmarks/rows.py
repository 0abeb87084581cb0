"""One line of the benchmarks' table, and how its times are taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Row:
    """What is measured against what, both in seconds in the same run, and the limit that the ratio must keep."""

    what: str
    against: str
    ours: float
    theirs: float
    ratio: float
    limit: float
    at_least: bool
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the ratio keeps its limit."""
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


def best_time(work: Callable[[], object], times: int = 5) -> float:
    """The shortest of several wall times of `work` in seconds, after one call to warm up."""
    work()
    shortest = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest


def faster(
    what: str, against: str, ours: Callable[[], object], theirs: Callable[[], object], limit: float, note: str = ""
) -> Row:
    """A row whose ratio is how many times sooner `ours` is done than `theirs`; it must be `limit` at least."""
    mine, other = best_time(ours), best_time(theirs)
    return Row(what, against, mine, other, other / mine, limit, True, note)
