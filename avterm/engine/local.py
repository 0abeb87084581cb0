"""`--engine local`: work in processes of this machine, one a GPU or a core, started afresh and kept between maps."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from multiprocessing.queues import Queue
from typing import Any

import torch

from avterm.engine.ahead import cores
from avterm.engine.mapping import RETRIES, Answer, Kept, Report, Task, Work, apart
from avterm.errors import AvtermError

_AHEAD = 4  # answers a worker that may wait to be taken


class Processes:
    """An engine of local processes. They are spawned, not forked: this process may hold threads and a GPU."""

    def __init__(self, workers: int | None = None) -> None:
        """workers: how many processes; without it one a GPU for work that wants one, and one a core for other work.
        Each of them computes with its share of the cores."""
        self._workers = workers
        self._pools: dict[bool, ProcessPoolExecutor] = {}

    def map(
        self, work: Work[Task, Answer], tasks: Sequence[Task], report: Report, gpu: bool = False
    ) -> Iterator[Answer]:
        """As `Engine.map`. After an error, what is under way is finished and no more is begun."""
        gpus = _gpus() if gpu else []
        workers = self._workers or len(gpus) or cores()
        threads = max(1, cores() // workers)
        pending: dict[int, Future[tuple[Answer, Kept]]] = {}
        taken = lost = 0
        try:
            while taken < len(tasks):
                try:
                    for place in range(taken, min(taken + workers * _AHEAD, len(tasks))):
                        if place not in pending:
                            pool = self._pool(bool(gpus), workers, gpus)
                            pending[place] = pool.submit(apart, work, tasks[place], threads)
                    answer, kept = pending[taken].result()
                except BrokenProcessPool:
                    self._close(bool(gpus))
                    lost += 1
                    if lost > RETRIES:
                        raise AvtermError(_lost(tasks[taken], lost)) from None
                    pending = {place: future for place, future in pending.items() if _is_whole(future)}
                    continue
                del pending[taken]
                taken, lost = taken + 1, 0
                kept.tell(report)
                yield answer
        finally:
            for future in pending.values():
                future.cancel()

    def close(self) -> None:
        """End the processes once what is under way is done."""
        for gpu in tuple(self._pools):
            self._close(gpu)

    def _pool(self, gpu: bool, workers: int, gpus: list[str]) -> ProcessPoolExecutor:
        if gpu not in self._pools:
            context = multiprocessing.get_context("spawn")
            numbers: Queue[str] = context.Queue()
            for worker in range(workers if gpus else 0):
                numbers.put(gpus[worker % len(gpus)])
            self._pools[gpu] = ProcessPoolExecutor(workers, context, _begin, (numbers if gpus else None,))
        return self._pools[gpu]

    def _close(self, gpu: bool) -> None:
        if gpu in self._pools:
            self._pools.pop(gpu).shutdown(cancel_futures=True)


def _lost(task: object, times: int) -> str:
    what = getattr(task, "number", None)
    of = "" if what is None else f" while shard {what} was waited for"
    return f"workers were lost {times} times{of} (killed, or out of memory?); give fewer --workers"


def _is_whole(future: Future[Any]) -> bool:
    """Whether the future holds an answer, or an error of the work's own."""
    return future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool)


def _gpus() -> list[str]:
    """Names of the CUDA devices that this process sees, as CUDA_VISIBLE_DEVICES would have them."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = seen.split(",") if seen else [str(i) for i in range(torch.cuda.device_count())]
    return [name.strip() for name in names][: torch.cuda.device_count()]


def _begin(numbers: Queue[str] | None) -> None:
    """A worker sees one GPU, dies quietly by Ctrl-C, and ends when its parent does, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if numbers is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = numbers.get()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
