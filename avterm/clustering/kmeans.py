"""k-means over embeddings that need not fit into memory (section 4): Lloyd's steps as sums over blocks of rows.

The assignment is one matrix product a block; sums are taken in the rows' own order, so that the result does not
depend on how many threads computed the product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from sklearn.cluster import kmeans_plusplus
from torch import Tensor

from avterm.errors import BadInput

BLOCK = 8192
SAMPLE_PER_CLUSTER = 64  # rows a cluster on which the start is chosen
SMALLEST_SAMPLE = 20_000
IN_MEMORY = 1 << 30  # bytes of float32 that are kept instead of read again at every step


class Rows(Protocol):
    """(N, D) embeddings, in memory or on disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""

    def __getitem__(self, key: slice | np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class KMeans:
    """centroid float32 (k, D); assignment int32 (N,); distance float32 (N,) squared to the own centroid; inertia."""

    centroid: np.ndarray
    assignment: np.ndarray
    distance: np.ndarray
    inertia: float
    iterations: int


def kmeans(
    rows: Rows,
    k: int,
    iterations: int = 50,
    tolerance: float = 1e-4,
    seed: int = 1,
    start: np.ndarray | None = None,
    spherical: bool = False,
    on_step: Callable[[float], None] = lambda inertia: None,
) -> KMeans:
    """Cluster (N, D) rows into k. Deterministic for a seed, on any number of threads.

    start: (k, D) centroids to begin with; else k-means++ on a seeded sample. Stops when the inertia falls by less
    than `tolerance` of itself. Empty clusters take the rows farthest from their centroids. `spherical` normalises the
    rows, and the centroids at every step. BadInput where there are fewer rows than clusters or values that are not
    finite.
    """
    count, depth = int(rows.shape[0]), int(rows.shape[1])
    if not 1 <= k <= count:
        raise BadInput(f"-k {k}: expected between 1 and {count}, the number of groundings")
    if count * depth * 4 <= IN_MEMORY:
        rows = np.asarray(rows[:], np.float32)
    centre = torch.from_numpy(_start(rows, k, seed, spherical) if start is None else start.astype(np.float32).copy())
    before, made = np.inf, 0
    while made < iterations:
        made += 1
        sums, sizes, inertia, far = _lloyd(rows, centre, spherical)
        on_step(inertia)
        empty = torch.nonzero(sizes == 0)[:, 0]
        centre = torch.where(sizes[:, None] > 0, (sums / sizes.clamp(min=1)[:, None]).float(), centre)
        if len(empty):
            taken = far[: len(empty)]
            centre[empty[: len(taken)]] = torch.from_numpy(_block(rows, taken, spherical))
        if spherical:
            centre = torch.nn.functional.normalize(centre, dim=1)
        if not len(empty) and before - inertia <= tolerance * max(inertia, 1e-30):
            break
        before = inertia
    assignment, distance = np.empty(count, np.int32), np.empty(count, np.float32)
    for first, block in _blocks(rows, spherical):
        nearest, gap = _nearest(block, centre)
        assignment[first : first + len(block)] = nearest.numpy()
        distance[first : first + len(block)] = gap.numpy()
    return KMeans(centre.numpy(), assignment, distance, float(distance.sum(dtype=np.float64)), made)


def _lloyd(rows: Rows, centre: Tensor, spherical: bool) -> tuple[Tensor, Tensor, float, np.ndarray]:
    """One step: float64 sums and sizes of the new clusters, the inertia, and the farthest rows, farthest first."""
    k = len(centre)
    sums, sizes = torch.zeros(centre.shape, dtype=torch.float64), torch.zeros(k, dtype=torch.int64)
    inertia, gaps, places = 0.0, [], []
    for first, block in _blocks(rows, spherical):
        nearest, gap = _nearest(block, centre)
        order = torch.argsort(nearest, stable=True)
        counts = torch.bincount(nearest, minlength=k)
        running = torch.zeros(len(block) + 1, block.shape[1], dtype=torch.float64)
        torch.cumsum(block[order].double(), 0, out=running[1:])
        ends = torch.cumsum(counts, 0)
        sums += running[ends] - running[ends - counts]
        sizes += counts
        inertia += float(gap.double().sum())
        top = torch.topk(gap, min(k, len(gap)))
        gaps.append(top.values.numpy())
        places.append(top.indices.numpy() + first)
    place = np.concatenate(places)
    far = place[np.lexsort((place, -np.concatenate(gaps)))][:k]
    return sums, sizes, inertia, far


def _nearest(block: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """(n, D) rows → int64 (n,) nearest centroid (ties: the lower), float32 (n,) squared distance to it."""
    half = torch.addmm(-0.5 * centre.square().sum(1)[None], block, centre.T)
    best = half.max(1)
    gap = (block - centre[best.indices]).square().sum(1)
    return best.indices, gap


def _start(rows: Rows, k: int, seed: int, spherical: bool) -> np.ndarray:
    random = np.random.default_rng(seed)
    count = int(rows.shape[0])
    size = min(count, max(SMALLEST_SAMPLE, SAMPLE_PER_CLUSTER * k))
    chosen = np.sort(random.choice(count, size, replace=False)) if size < count else np.arange(count)
    sample = _block(rows, chosen, spherical)
    centres, _ = kmeans_plusplus(sample, k, random_state=int(random.integers(1 << 31)))
    return np.asarray(centres, np.float32)


def _blocks(rows: Rows, spherical: bool) -> Iterator[tuple[int, Tensor]]:
    for first in range(0, int(rows.shape[0]), BLOCK):
        yield first, torch.from_numpy(_block(rows, slice(first, first + BLOCK), spherical))


def _block(rows: Rows, key: slice | np.ndarray, spherical: bool) -> np.ndarray:
    block = np.asarray(rows[key], np.float32)
    if not np.isfinite(block).all():
        raise BadInput("embeddings hold values that are not finite; ground again with a model that trained well")
    if spherical:
        block = block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(block)
