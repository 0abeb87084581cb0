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

import torch

MOST_WORKERS = 16
Item = TypeVar("Item")
Made = TypeVar("Made")


def workers_here() -> int:
    """One a core that this process may use, 16 at most."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def ahead(
    make: Callable[[Item], Made], items: Sequence[Item], workers: int | None = None, spare: int = 2
) -> Iterator[tuple[Item, Made]]:
    """(item, make(item)) in the order of `items`; at most `workers` + `spare` of them are made and not yet taken.

    What `make` raises is raised here when its item's turn comes; the rest is then not begun.
    """
    workers = workers or workers_here()
    threads = torch.get_num_threads()
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
