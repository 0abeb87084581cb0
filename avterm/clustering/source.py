"""Embeddings in blocks, from memory or from a store that does not fit into it, read by several threads at once.

Blocks from a store lie in memory that is used again when a block is done with: fresh memory costs more time than
reading into it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from avterm.engine.ahead import ahead
from avterm.store.stacked import Stacked

BLOCK = 4096  # rows; the unit of work of one thread, fixed because results may depend on it in the last bits
IN_MEMORY = 1 << 27  # bytes as stored that are kept instead of read again at every step


class Rows(Protocol):
    """(N, D) embeddings, in memory or on disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""

    def __getitem__(self, key: slice | np.ndarray) -> np.ndarray: ...


class Raw:
    """Blocks of `block` rows as they are stored."""

    def __init__(self, rows: Rows, block: int = BLOCK) -> None:
        """Nothing is read yet."""
        self.rows, self.block = rows, block
        self._spare: deque[np.ndarray] = deque()

    def read(self, first: int) -> np.ndarray:
        """(n, D): the block that begins at this row; not to be changed. Hand it back by `done`."""
        rows, last = self.rows, min(first + self.block, int(self.rows.shape[0]))
        if not isinstance(rows, Stacked):
            return np.ascontiguousarray(rows[first:last])
        try:
            memory = self._spare.pop()
        except IndexError:
            memory = np.empty((min(self.block, len(rows)), rows.shape[1]), rows.dtype)
        block = memory[: last - first]
        rows.read_into(first, block)
        return block

    def done(self, block: np.ndarray) -> None:
        """Use a block's memory again."""
        if isinstance(self.rows, Stacked) and isinstance(block.base, np.ndarray):
            self._spare.append(block.base)


@dataclass(frozen=True)
class Block:
    """Rows from `first` on: float32 `values` (n, D), not to be changed; `memory` is what they lie in, if not the
    caller's own."""

    first: int
    values: Tensor
    memory: Tensor | None


class Source:
    """(N, D) rows, float16 or float32, as blocks of float32; of unit length if `unit`."""

    def __init__(self, rows: Rows, unit: bool = False) -> None:
        """Small stores are read into memory, larger ones at every `load`."""
        self.count, self.depth, self.unit = int(rows.shape[0]), int(rows.shape[1]), unit
        if isinstance(rows, Stacked) and self.count * self.depth * rows.dtype.itemsize <= IN_MEMORY:
            rows = rows[:]
        self._raw = Raw(np.ascontiguousarray(rows) if isinstance(rows, np.ndarray) else rows, BLOCK)
        self._spare: deque[Tensor] = deque()
        self.firsts = range(0, self.count, BLOCK)

    def load(self, first: int) -> Block:
        """The block that begins at this row. Hand it back by `done`."""
        raw = self._raw.read(first)
        if raw.dtype == np.float32 and not self.unit and isinstance(self._raw.rows, np.ndarray):
            return Block(first, torch.from_numpy(raw), None)
        try:
            memory = self._spare.pop()
        except IndexError:
            memory = torch.empty((min(BLOCK, self.count), self.depth), dtype=torch.float32)
        values = memory[: len(raw)]
        values.copy_(torch.from_numpy(raw))  # many times as fast as NumPy's conversion from float16
        self._raw.done(raw)
        if self.unit:
            values /= torch.linalg.vector_norm(values, dim=1, keepdim=True).clamp_(min=1e-12)
        return Block(first, values, memory)

    def done(self, block: Block) -> None:
        """Use a block's memory again."""
        if block.memory is not None:
            self._spare.append(block.memory)

    def pick(self, chosen: np.ndarray) -> np.ndarray:
        """float32 (m, D): these rows, in the order asked for, each block that holds one read once."""
        out = np.empty((len(chosen), self.depth), np.float32)
        order = np.argsort(chosen, kind="stable")
        bounds = np.searchsorted(chosen[order], [*self.firsts, self.count])
        wanted = [first for i, first in enumerate(self.firsts) if bounds[i] < bounds[i + 1]]
        for first, block in ahead(self.load, wanted):
            mine = order[bounds[first // BLOCK] : bounds[first // BLOCK + 1]]
            out[mine] = block.values.numpy()[chosen[mine] - first]
            self.done(block)
        return out
