"""Lloyd's steps over rows that may lie on disk, each thread on blocks of its own.

A plain step multiplies every row with every centroid. Once most centroids hardly move, most of that is in vain: each
row keeps a distance that no centroid but its own falls below (Hamerly 2010), less what the centroids moved since. Here
the few that moved most, the movers, are left out of that distance and multiplied with every row instead, so that one
restless centroid does not spoil the bound of all others; only rows that stay undecided meet all centroids. How many
movers there are is chosen at every step from what it is expected to cost. The result is that of plain steps.

Blocks are fixed, each is computed by one thread, and sums are taken in the rows' order in float64: the result does not
depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from avterm_kernels import lloyd
from torch import Tensor

from avterm.clustering.source import Block, Source
from avterm.engine.ahead import ahead
from avterm.errors import BadInput

NOT_FINITE = "embeddings hold values that are not finite; ground again with a model that trained well"
SHARES = (0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)  # of the centroids that may be taken as movers
WORTH = 0.85  # of a plain step's work; less is not gained by leaving out more


@dataclass(frozen=True)
class _Plan:
    """What a step multiplies the rows with: `movers`, or everything if it is None."""

    point: np.ndarray  # float32 (1, D), near the data
    offsets: Tensor  # float32 (k, D) centroids less the point
    half: np.ndarray  # float32 (k,) half their squared lengths, and what makes products with rows do (see `_plan`)
    centroids: np.ndarray  # float32 (k, D)
    movers: np.ndarray | None  # int64 ascending
    stayed: float  # how far the others moved at most


@dataclass(frozen=True)
class _Visit:
    block: Block
    label: np.ndarray
    others: np.ndarray
    gap: np.ndarray
    norms: np.ndarray


class Lloyd:
    """Where the rows are: label int32 (N,); gap float32 (N,) squared distance to the own centroid.

    sums float64 (k, D) and sizes int64 (k,) are those of the members.
    """

    def __init__(self, source: Source, centroids: np.ndarray) -> None:
        """`centroids`: float32 (k, D) to begin with."""
        self.source, self.centroids = source, np.ascontiguousarray(centroids, np.float32)
        self.label = np.full(source.count, -1, np.int32)
        self.gap = np.empty(source.count, np.float32)
        self.sums = np.zeros(self.centroids.shape, np.float64)
        self.sizes = np.zeros(len(self.centroids), np.int64)
        self._point = self.centroids.mean(0, dtype=np.float64).astype(np.float32)[None]
        self._others = np.empty(source.count, np.float32)
        self._norms = np.empty(source.count, np.float32)
        self._drift: np.ndarray | None = None  # float32 (k,): how far each centroid moved since the last step

    def step(self) -> tuple[float, int]:
        """Find every row's nearest centroid (ties in a plain product: the lower); (inertia, how many rows moved).

        BadInput where values are not finite.
        """
        plan = self._plan()
        inertia, moved = 0.0, 0
        for first, visit in ahead(lambda first: self._visit(first, plan), self.source.firsts):
            rows = slice(first, first + len(visit.label))
            values = visit.block.values.numpy()
            moved += lloyd.move(self.sums, self.sizes, values, self.label[rows], visit.label)
            self.label[rows], self.gap[rows] = visit.label, visit.gap
            self._others[rows], self._norms[rows] = visit.others, visit.norms
            inertia += float(visit.gap.sum(dtype=np.float64))
            self.source.done(visit.block)
        self._drift = None
        return inertia, moved

    def descend(self, iterations: int, tolerance: float, on_step: Callable[[float], None]) -> int:
        """Steps, each followed by moving the centroids, until the inertia falls by less than `tolerance` of itself.

        Empty clusters take the rows farthest from their centroids. Returns how many steps were made; rows are then
        where the centroids were before the last move.
        """
        before, made = np.inf, 0
        while made < iterations:
            made += 1
            inertia, moved = self.step()
            on_step(inertia)
            empty = np.flatnonzero(self.sizes == 0)
            means = (self.sums / np.maximum(self.sizes, 1)[:, None]).astype(np.float32)
            means[empty] = self.source.pick(self.farthest(len(empty)))
            if self.source.unit:
                means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
            self.follow(means)
            if not moved or (not len(empty) and before - inertia <= tolerance * max(inertia, 1e-30)):
                break
            before = inertia
        return made

    def follow(self, centroids: np.ndarray) -> None:
        """Take these centroids for the next step; once between two steps."""
        gone = centroids.astype(np.float64) - self.centroids
        self._drift = np.sqrt((gone * gone).sum(1)).astype(np.float32)
        self.centroids = centroids

    def farthest(self, many: int) -> np.ndarray:
        """int64: the rows farthest from their centroids, farthest first (ties: the lower)."""
        return np.lexsort((np.arange(len(self.gap)), -self.gap))[:many]

    def _plan(self) -> _Plan:
        # (x - m)·(c - m) = x·(c - m) - m·(c - m): the second part is one number a centroid, and goes into `half`.
        offsets = self.centroids - self._point
        half = 0.5 * (offsets.astype(np.float64) ** 2).sum(1) + offsets.astype(np.float64) @ self._point[0]
        movers, stayed = self._movers()
        return _Plan(self._point, torch.from_numpy(offsets), half.astype(np.float32), self.centroids, movers, stayed)

    def _movers(self) -> tuple[np.ndarray | None, float]:
        """The centroids to multiply every row with, as the least work is expected; None where that is all of them."""
        if self._drift is None:
            return None, 0.0
        k = len(self._drift)
        order = np.argsort(-self._drift, kind="stable")
        room = np.sort(self._others - np.sqrt(self.gap))
        best, least = None, WORTH
        for many in sorted({int(k * share) for share in SHARES}):
            stayed = self._drift[order[many]] if many < k else 0.0
            work = many / k + np.searchsorted(room, stayed) / len(room)
            if work < least:
                best, least = many, work
        if best is None:
            return None, 0.0
        return np.sort(order[:best]), float(self._drift[order[best]])

    def _visit(self, first: int, plan: _Plan) -> _Visit:
        block = self.source.load(first)
        values, rows = block.values.numpy(), slice(first, first + len(block.values))
        if plan.movers is None:
            norms = lloyd.distances(values, plan.point, np.zeros(len(values), np.int32))
            if not np.isfinite(norms).all():
                raise BadInput(NOT_FINITE)
            label, others = lloyd.nearest((block.values @ plan.offsets.T).numpy(), plan.half, norms)
            return _Visit(block, label, others, lloyd.distances(values, plan.centroids, label), norms)
        norms, label = self._norms[rows], self.label[rows].copy()
        gap = lloyd.distances(values, plan.centroids, label)
        others = self._others[rows] - np.float32(plan.stayed)
        products = block.values @ plan.offsets[plan.movers].T
        open_rows = lloyd.settle(
            products.numpy(), plan.movers, plan.half[plan.movers], norms, np.sqrt(gap), label, others
        )
        if len(open_rows):
            products = block.values[open_rows] @ plan.offsets.T
            label[open_rows], others[open_rows] = lloyd.nearest(products.numpy(), plan.half, norms[open_rows])
        moved = np.flatnonzero(label != self.label[rows])
        gap[moved] = lloyd.distances(values[moved], plan.centroids, label[moved])
        return _Visit(block, label, others, gap, norms)
