"""The processes that train together under `torchrun`, and what they tell each other. One alone needs none of it.

Every process holds the same weights and takes every `size`-th pair of each minibatch. What depends on the whole
minibatch (scores, the statistics of batch normalisation) is summed or gathered, with gradients, so that the weights
are those of one process within float tolerance. Nothing here pickles: only tensors travel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from avterm.errors import AvtermError, ConfigError, UsageError

# One process may compute features for hours while the others wait; those that die are noticed by their connections.
PATIENCE = timedelta(days=2)
Rows = TypeVar("Rows", np.ndarray, Tensor)


class Elsewhere(AvtermError):
    """Another process of the training failed, and said why; this one only follows."""


@dataclass(frozen=True)
class World:
    """This process among `size` that train together: its number, and its number among those on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def from_environment(cls) -> World:
        """As torchrun says it in the environment; alone where nothing is said."""
        try:
            names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
            rank, size, local_rank, local_size = (int(os.environ.get(n, d)) for n, d in zip(names, "0101", strict=True))
        except ValueError as error:
            raise ConfigError(f"RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE: expected numbers: {error}") from None
        return cls(rank, size, local_rank, local_size) if size > 1 else cls()

    def __str__(self) -> str:
        return f"process {self.rank} of {self.size}"

    @property
    def first(self) -> bool:
        """Whether this is the one process that writes, locks and reports."""
        return self.rank == 0

    def part(self, rows: Rows) -> Rows:
        """This process's share of the first axis: every `size`-th row, so that lengths are spread evenly."""
        return rows[self.rank :: self.size] if self.size > 1 else rows

    def gather(self, part: Tensor, total: int) -> Tensor:
        """All processes' shares (n, …) as (total, …), in the order that `part` took them from; with gradients."""
        return part if self.size == 1 else _gather(part, total, self)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, with gradients."""
        return values if self.size == 1 else _sum(values)

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sum over all processes; same shape and dtype."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def largest(self, values: np.ndarray) -> np.ndarray:
        """The largest over all processes; same shape and dtype."""
        return self._reduced(values, dist.ReduceOp.MAX)

    def smallest(self, values: np.ndarray) -> np.ndarray:
        """The smallest over all processes; same shape and dtype."""
        return self._reduced(values, dist.ReduceOp.MIN)

    def any(self, flag: bool) -> bool:
        """Whether it holds on any process. All wait here for all."""
        return bool(self.largest(np.array([flag], np.int64))[0]) if self.size > 1 else flag

    def wait(self) -> None:
        """Wait here until all are here."""
        self.any(False)

    def send(self, values: Tensor, owner: int) -> Tensor:
        """`values` of process `owner`, put in place on all others; no gradients."""
        if self.size > 1:
            dist.broadcast(values, owner)
        return values

    def of_first(self, value: float) -> float:
        """The first process's value, bit by bit, on all."""
        return float(self.send(torch.tensor([value], dtype=torch.float64), 0)[0])

    def _reduced(self, values: np.ndarray, how: Any) -> np.ndarray:
        if self.size == 1:
            return values
        tensor = torch.from_numpy(np.array(values))
        dist.all_reduce(tensor, how)
        return tensor.numpy()


ALONE = World()


@contextmanager
def joined(cuda: bool) -> Iterator[World]:
    """Meet the other processes of torchrun, and part from them at the end; a plain `World()` where there are none.

    cuda: whether they compute on CUDA devices (NCCL), one each; without, on processors (Gloo). Raises UsageError where
    they cannot meet, and Elsewhere where the others cannot be reached any more.
    """
    world = World.from_environment()
    if world.size == 1:
        yield world
        return
    try:
        if cuda:
            torch.cuda.set_device(world.local_rank)
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"{world} cannot meet the others; start them with torchrun: {_reason(error)}") from error
    try:
        yield world
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error).lower():
            raise Elsewhere(f"{world} stopped, as another one is gone ({_reason(error)})") from error
        raise
    finally:
        dist.destroy_process_group()


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][-160:]


class _Gather(torch.autograd.Function):
    """Shares of all processes, interleaved; the gradient of a share is the sum of what all processes have for it."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, total: int, world: World) -> Tensor:
        ctx.world = world
        rows = -(-total // world.size)
        shape = part.shape[1:]
        padded = part.new_zeros(rows, *shape)
        padded[: len(part)] = part
        every = [torch.empty_like(padded) for _ in range(world.size)]
        dist.all_gather(every, padded)
        return torch.stack(every, 1).reshape(-1, *shape)[:total]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        whole = gradients[0].to(torch.float32, copy=True).contiguous()
        dist.all_reduce(whole)
        return ctx.world.part(whole).to(gradients[0].dtype), None, None


class _Sum(torch.autograd.Function):
    """The sum over all processes, which all of them use; so the gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        whole = values.contiguous().clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        whole = gradients[0].contiguous().clone()
        dist.all_reduce(whole)
        return whole


def _gather(part: Tensor, total: int, world: World) -> Tensor:
    result: Tensor = _Gather.apply(part, total, world)  # type: ignore[no-untyped-call]
    return result


def _sum(values: Tensor) -> Tensor:
    result: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return result
