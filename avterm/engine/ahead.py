"""Work made ahead by threads, each computing alone: no thread waits for another at every layer of a network.

One thread a core over whole pictures beats all cores over each picture, the more so where the cores are shared with
other processes; and what is computed does not depend on how many threads there are.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numba
import torch

MOST_WORKERS = 16
Item = TypeVar("Item")
Made = TypeVar("Made")
_allowed = MOST_WORKERS


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def allow_threads(count: int) -> None:
    """Use so many threads from now on: for a worker that shares its machine with others."""
    global _allowed
    _allowed = max(1, count)
    torch.set_num_threads(_allowed)
    numba.set_num_threads(min(_allowed, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


def workers_here() -> int:
    """One a core that this process may use, 16 at most, and no more than `allow_threads` said."""
    return min(cores(), MOST_WORKERS, _allowed)


def ahead(
    make: Callable[[Item], Made], items: Sequence[Item], workers: int | None = None, spare: int = 2
) -> Iterator[tuple[Item, Made]]:
    """(item, make(item)) in the order of `items`; at most `workers` + `spare` of them are made and not yet taken.

    What `make` raises is raised here when its item's turn comes; the rest is then not begun.
    """
    workers = workers or workers_here()
    threads = torch.get_num_threads()
    _settle()
    pool = ThreadPoolExecutor(workers, "ahead", initializer=torch.set_num_threads, initargs=(1,))
    pending: deque[Future[Made]] = deque()
    try:
        for i in range(len(items) + workers + spare):
            if i < len(items):
                pending.append(pool.submit(make, items[i]))
            taken = i - workers - spare
            if taken >= 0 and pending:
                yield items[taken], pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # what threads that begin later start from


def _settle() -> None:
    """Let the vector library choose its code for this processor while nobody else does.

    It does so at its first call, without a lock: where two threads began at once, 5 of 800 processes had other last
    bits in their first logarithms.
    """
    torch.log(torch.ones(1))
