"""`--engine` and what goes with it: where the work of a stage is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from avterm.errors import UsageError

if TYPE_CHECKING:
    from avterm.engine.mapping import Engine


class Where(StrEnum):
    """The engines that there are."""

    threads = "threads"
    local = "local"
    ray = "ray"


EngineOption = Annotated[
    Where,
    typer.Option(help="threads of this process; local: processes, one a core or GPU; ray: a cluster. Same results."),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Of --engine local: how many processes, instead of one a core or GPU.")
]
AddressOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Of --engine ray: the cluster, if not $RAY_ADDRESS or here.")
]
CpusOption = Annotated[float, typer.Option(min=0.01, help="Of --engine ray: processors, and so threads, a task.")]
GpusOption = Annotated[float, typer.Option(min=0.0, help="Of --engine ray: GPUs a task of a network; may be 0.5.")]


@contextmanager
def engine_for(
    where: Where, workers: int | None, address: str | None, cpus: float, gpus: float = 0.0
) -> Iterator[Engine]:
    """The engine that the options name, closed at the end. UsageError for options of another engine."""
    from avterm.engine.local import Processes
    from avterm.engine.mapping import HERE
    from avterm.engine.ray import RayCluster

    if workers is not None and where is not Where.local:
        raise UsageError("--workers: goes with --engine local")
    if where is not Where.ray and (address is not None or cpus != 1.0 or gpus != 0.0):
        raise UsageError("--address, --cpus and --gpus: go with --engine ray")
    if where is Where.threads:
        yield HERE
        return
    engine = Processes(workers) if where is Where.local else RayCluster(address, cpus, gpus)
    try:
        yield engine
    finally:
        engine.close()
