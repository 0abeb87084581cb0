"""`--engine ray`: work as tasks of a Ray cluster that is there already, so many processors and GPUs a task.

Every machine of the cluster needs avterm in the same Python, and run, corpus and features under the same paths.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from avterm.engine.mapping import RETRIES, Answer, Kept, Report, Task, Work, apart
from avterm.errors import AvtermError, UsageError

_AHEAD = 4  # answers a processor of the cluster that may wait to be taken
_LEAST_AHEAD = 64  # so that a cluster that grows with its queue does grow


class RayCluster:
    """An engine on Ray. What a lost machine had in hand is begun again elsewhere."""

    def __init__(self, address: str | None = None, cpus: float = 1.0, gpus: float = 0.0) -> None:
        """Connect to the cluster at `address`, else to the one that $RAY_ADDRESS or this machine names.

        cpus, gpus: what one task holds; gpus count for work that runs a network only. UsageError where Ray is not
        installed; AvtermError where there is no such cluster.
        """
        self._ray = _ray()
        self._cpus, self._gpus = cpus, gpus
        self._ours = not self._ray.is_initialized()
        if self._ours:
            try:
                self._ray.init(address or "auto", logging_level=logging.ERROR, log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                reason = str(error).strip().partition("\n")[0]
                raise AvtermError(
                    f"no Ray cluster at {address or 'this machine'}: {reason}; start one with `ray start --head`, "
                    "or give its --address"
                ) from None

    def map(
        self, work: Work[Task, Answer], tasks: Sequence[Task], report: Report, gpu: bool = False
    ) -> Iterator[Answer]:
        """As `Engine.map`."""
        run = self._ray.remote(num_cpus=self._cpus, num_gpus=self._gpus if gpu else 0, max_retries=RETRIES)(_there)
        threads, here = max(1, int(self._cpus)), str(Path.cwd())
        pending: dict[int, Any] = {}
        try:
            for taken in range(len(tasks)):
                processors = self._ray.cluster_resources().get("CPU", 1.0)
                ahead = max(_LEAST_AHEAD, int(_AHEAD * processors / max(self._cpus, 0.1)))
                for place in range(taken, min(taken + ahead, len(tasks))):
                    if place not in pending:
                        pending[place] = run.remote(here, work, tasks[place], threads)
                answer, kept = self._get(pending.pop(taken))
                kept.tell(report)
                yield answer
        finally:
            for reference in pending.values():
                self._ray.cancel(reference)

    def close(self) -> None:
        """Let go of the cluster, which goes on."""
        if self._ours:
            self._ray.shutdown()

    def _get(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:200]
            raise AvtermError(f"Ray gave up on a task ({type(error).__name__}): {reason}") from None


def _there(folder: str, work: Work[Task, Answer], task: Task, threads: int) -> tuple[Answer, Kept]:
    """What a task of the cluster runs: in the folder where the command was given, so that paths mean the same."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise AvtermError(
            f"{folder}: {error.strerror} on {socket.gethostname()}; every machine of the cluster needs it, and run, "
            "corpus and features, under the same paths"
        ) from None
    return apart(work, task, threads)


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise UsageError("--engine ray needs Ray, which is not installed: pip install 'avterm[ray]'") from None
