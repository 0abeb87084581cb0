"""The same work on many blocks, in this process or in several, answers in order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Block = TypeVar("Block")
Answer = TypeVar("Answer")


def spread(work: Callable[[Block], Answer], blocks: Sequence[Block], jobs: int) -> Iterator[Answer]:
    """`work` of every block, in the blocks' order, by `jobs` processes; `work` must be a module's function.

    Processes are started afresh rather than forked: the parent may hold threads of torch or numba.
    """
    jobs = min(jobs, len(blocks))
    if jobs <= 1:
        yield from map(work, blocks)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(work, blocks)
        finally:
            pool.shutdown(cancel_futures=True)
