"""Lloyd's steps over rows that may lie on disk, each thread on blocks of its own.

A plain step multiplies every row with every centroid. Once most centroids hardly move, most of that is in vain: each
row keeps a distance that no centroid but its own falls below (Hamerly 2010), less what the centroids moved since. Here
the few that moved most, the movers, are left out of that distance and multiplied with every row instead, so that one
restless centroid does not spoil the bound of all others; only rows that stay undecided meet all centroids. How many
movers there are is chosen at every step from what it is expected to cost. The result is that of plain steps.

Blocks are fixed, each is computed by one thread, and sums are taken in the rows' order in float64, part by part: the
result depends neither on the number of threads nor on the processes that parts are computed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from avterm_kernels import lloyd
from torch import Tensor

from avterm.clustering.parts import Part, Stored, parts_of, source_of
from avterm.clustering.source import Block, Source
from avterm.engine.ahead import ahead
from avterm.engine.mapping import HERE, UNHEARD, Engine, Report
from avterm.errors import BadInput

NOT_FINITE = "embeddings hold values that are not finite; ground again with a model that trained well"
SHARES = (0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)  # of the centroids that may be taken as movers
WORTH = 0.85  # of a plain step's work; less is not gained by leaving out more


@dataclass(frozen=True)
class _Plan:
    """What a step multiplies the rows with: `movers`, or everything if it is None."""

    point: np.ndarray  # float32 (1, D), near the data
    offsets: np.ndarray  # float32 (k, D) centroids less the point
    half: np.ndarray  # float32 (k,) half their squared lengths, and what makes products with rows do (see `_plan`)
    centroids: np.ndarray  # float32 (k, D)
    movers: np.ndarray | None  # int64 ascending
    stayed: float  # how far the others moved at most


@dataclass(frozen=True)
class _State:
    """What a step knows of some rows: arrays as in `Lloyd`."""

    label: np.ndarray
    gap: np.ndarray
    others: np.ndarray
    norms: np.ndarray

    def rows(self, start: int, stop: int) -> _State:
        """Views of some of them."""
        return _State(*(values[start:stop] for values in (self.label, self.gap, self.others, self.norms)))

    def take(self, other: _State) -> None:
        """Be as the other one."""
        self.label[:], self.gap[:] = other.label, other.gap
        self.others[:], self.norms[:] = other.others, other.norms


@dataclass(frozen=True)
class _Stretch:
    """A part and what is known of its rows."""

    part: Part
    state: _State


@dataclass(frozen=True)
class _Moved:
    """What a step made of a part: its state, what it adds to sums and sizes, inertia by block, how many rows moved."""

    state: _State
    sums: np.ndarray
    sizes: np.ndarray
    inertia: list[float]
    moved: int


class Lloyd:
    """Where the rows are: label int32 (N,); gap float32 (N,) squared distance to the own centroid.

    sums float64 (k, D) and sizes int64 (k,) are those of the members.
    """

    def __init__(
        self, source: Source, centroids: np.ndarray, engine: Engine = HERE, stored: Stored | None = None
    ) -> None:
        """`centroids`: float32 (k, D) to begin with; `stored`: where an engine's workers find the rows of `source`."""
        self._engine, self._from = engine, source if stored is None or engine is HERE else stored
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
        plan, known = self._plan(), _State(self.label, self.gap, self._others, self._norms)
        parts = parts_of(self.source.count)
        stretches = [_Stretch(part, known.rows(part.first, part.stop)) for part in parts]
        inertia, moved = 0.0, 0
        work = partial(_step_part, self._from, self.source.unit, plan)
        for stretch, made in zip(stretches, self._engine.map(work, stretches, UNHEARD), strict=True):
            stretch.state.take(made.state)
            self.sums += made.sums
            self.sizes += made.sizes
            moved += made.moved
            for one in made.inertia:
                inertia += one
        self._drift = None
        return inertia, moved

    def descend(self, iterations: int, tolerance: float, on_step: Callable[[float], None], trimmed: int = 0) -> int:
        """Steps, each followed by moving the centroids, until the inertia falls by less than `tolerance` of itself.

        Empty clusters take the rows farthest from their centroids. `trimmed`: so many rows, those farthest from their
        centroids at each step, count neither in the inertia nor in the means. Returns how many steps were made; rows
        are then where the centroids were before the last move.
        """
        before, made = np.inf, 0
        while made < iterations:
            made += 1
            inertia, moved = self.step()
            sums, sizes, far = self.sums, self.sizes, self.farthest(trimmed)
            if trimmed:
                inertia -= float(self.gap[far].sum(dtype=np.float64))
                far_sums, far_sizes = self.sums_of(far)
                sums, sizes = sums - far_sums, sizes - far_sizes
            on_step(inertia)
            empty = np.flatnonzero(sizes == 0)
            means = (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)
            means[empty] = self.source.pick(self.farthest(trimmed + len(empty))[trimmed:])
            if self.source.unit:
                means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
            self.follow(means)
            if not (moved or trimmed) or (not len(empty) and before - inertia <= tolerance * max(inertia, 1e-30)):
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

    def sums_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float64 (k, D) and int64 (k,): sums and sizes of these rows alone, by their clusters."""
        sums, sizes = np.zeros(self.sums.shape, np.float64), np.zeros(len(self.sizes), np.int64)
        chosen = np.zeros(self.source.count, bool)
        chosen[rows] = True
        for first, block in ahead(self.source.load, self.source.firsts):
            here = np.flatnonzero(chosen[first : first + len(block.values)])
            label = self.label[first + here]
            lloyd.move(sums, sizes, block.values.numpy()[here], np.full(len(here), -1, np.int32), label)
            self.source.done(block)
        return sums, sizes

    def _plan(self) -> _Plan:
        # (x - m)·(c - m) = x·(c - m) - m·(c - m): the second part is one number a centroid, and goes into `half`.
        offsets = self.centroids - self._point
        half = 0.5 * (offsets.astype(np.float64) ** 2).sum(1) + offsets.astype(np.float64) @ self._point[0]
        movers, stayed = self._movers()
        return _Plan(self._point, offsets, half.astype(np.float32), self.centroids, movers, stayed)

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


def _step_part(rows: Source | Stored, unit: bool, plan: _Plan, stretch: _Stretch, report: Report) -> _Moved:
    """A step over the rows of a part, wherever that is."""
    source, part, known = source_of(rows, unit), stretch.part, stretch.state
    offsets = torch.from_numpy(plan.offsets)
    state = _State(*(np.empty_like(values) for values in (known.label, known.gap, known.others, known.norms)))
    sums, sizes = np.zeros(plan.centroids.shape, np.float64), np.zeros(len(plan.centroids), np.int64)
    inertia, moved = [], 0

    def visit(first: int) -> tuple[Block, _State]:
        block, start = source.load(first), first - part.first
        return block, _visit(block, known.rows(start, start + len(block.values)), plan, offsets)

    for first, (block, found) in ahead(visit, part.firsts):
        start = first - part.first
        before = known.label[start : start + len(found.label)]
        moved += lloyd.move(sums, sizes, block.values.numpy(), before, found.label)
        state.rows(start, start + len(found.label)).take(found)
        inertia.append(float(found.gap.sum(dtype=np.float64)))
        source.done(block)
    return _Moved(state, sums, sizes, inertia, moved)


def _visit(block: Block, known: _State, plan: _Plan, offsets: Tensor) -> _State:
    values = block.values.numpy()
    if plan.movers is None:
        norms = lloyd.distances(values, plan.point, np.zeros(len(values), np.int32))
        if not np.isfinite(norms).all():
            raise BadInput(NOT_FINITE)
        label, others = lloyd.nearest((block.values @ offsets.T).numpy(), plan.half, norms)
        return _State(label, lloyd.distances(values, plan.centroids, label), others, norms)
    norms, label = known.norms, known.label.copy()
    gap = lloyd.distances(values, plan.centroids, label)
    others = known.others - np.float32(plan.stayed)
    products = block.values @ offsets[plan.movers].T
    open_rows = lloyd.settle(products.numpy(), plan.movers, plan.half[plan.movers], norms, np.sqrt(gap), label, others)
    if len(open_rows):
        products = block.values[open_rows] @ offsets.T
        label[open_rows], others[open_rows] = lloyd.nearest(products.numpy(), plan.half, norms[open_rows])
    moved = np.flatnonzero(label != known.label)
    gap[moved] = lloyd.distances(values[moved], plan.centroids, label[moved])
    return _State(label, gap, others, norms)
