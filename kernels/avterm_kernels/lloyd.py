"""The parts of a step of k-means that are not a matrix product.

With any fixed point m near the data, t = |c - m|²/2 - (x - m)·(c - m) gives the squared distance |x - m|² + 2t of a row
x to a centroid c from one inner product, without the cancellation that rows far from the origin would suffer.
Kernels let go of the interpreter's lock and use one thread: callers run one a core, each on rows of its own.
"""

from __future__ import annotations

import numpy as np
from numba import njit

CHUNK = 64  # values whose minimum is taken at once
_REASSOCIATE = {"reassoc", "nsz", "contract"}  # sums in whatever order is fastest, the same at every call


def nearest(products: np.ndarray, half: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centroid of each row, and how far the second nearest is.

    products: float32 (n, k) inner products (x - m)·(c - m); half: float32 (k,) the |c - m|²/2; norms: float32 (n,) the
    |x - m|². Returns int32 (n,) nearest (ties: the lower) and float32 (n,) distance to the second nearest, infinite
    where k is 1. ValueError where shapes disagree.
    """
    _agree(products, half, norms)
    label, others = np.empty(len(norms), np.int32), np.empty(len(norms), np.float32)
    _nearest(np.ascontiguousarray(products), half, norms, label, others)
    return label, others


def settle(
    products: np.ndarray,
    movers: np.ndarray,
    half: np.ndarray,
    norms: np.ndarray,
    own: np.ndarray,
    label: np.ndarray,
    others: np.ndarray,
) -> np.ndarray:
    """Find the nearest centroid from inner products with a few of them, wherever the others are out of question.

    products: float32 (n, m) inner products with the centroids `movers`, int64 (m,) ascending; half: float32 (m,) and
    norms: float32 (n,) as in `nearest`; own: float32 (n,) distance to the centroid that a row has been with; label:
    int32 (n,) which that is; others: float32 (n,) a distance that no other centroid outside `movers` falls below.
    For rows that this decides, `label` and `others`, now over all other centroids, are updated in place.
    Returns int64: the rows that it does not decide, unchanged. ValueError where shapes disagree.
    """
    _agree(products, half, norms)
    undecided = np.zeros(len(norms), np.bool_)
    _settle(np.ascontiguousarray(products), movers, half, norms, own, label, others, undecided)
    return np.flatnonzero(undecided)


def distances(rows: np.ndarray, centroids: np.ndarray, label: np.ndarray) -> np.ndarray:
    """float32 (n,): squared distance of each row, float32 (n, D), to the centroid, float32 (k, D), of its label.

    ValueError where shapes disagree; labels are trusted to be below k.
    """
    if rows.shape[1:] != centroids.shape[1:] or len(rows) != len(label):
        raise ValueError(f"expected a label a row and one depth, found {rows.shape}, {centroids.shape}, {label.shape}")
    out = np.empty(len(rows), np.float32)
    _distances(np.ascontiguousarray(rows), np.ascontiguousarray(centroids), label, out)
    return out


def move(sums: np.ndarray, sizes: np.ndarray, rows: np.ndarray, before: np.ndarray, after: np.ndarray) -> int:
    """Take rows from the cluster that each was in to the one it is in, in their order; returns how many moved.

    sums: float64 (k, D) of the members and sizes: int64 (k,), changed in place; rows: float32 (n, D); before, after:
    int32 (n,), where before is -1 for rows that were in none. ValueError where shapes disagree.
    """
    if not len(rows) == len(before) == len(after) or sums.shape != (len(sizes), rows.shape[1]):
        raise ValueError(f"expected sums of the rows' depth, found {sums.shape}, {sizes.shape}, {rows.shape}")
    return int(_move(sums, sizes, rows, before, after))


def _agree(products: np.ndarray, half: np.ndarray, norms: np.ndarray) -> None:
    if products.shape != (len(norms), len(half)):
        raise ValueError(f"expected products of shape {(len(norms), len(half))}, found {products.shape}")


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "contract"})
def _nearest(products, half, norms, label, others):  # type: ignore[no-untyped-def]
    k = half.shape[0]
    for i in range(norms.shape[0]):
        least = second = np.float32(np.inf)
        best_chunk = 0
        for low in range(0, k, CHUNK):
            smallest = np.float32(np.inf)
            for j in range(low, min(k, low + CHUNK)):
                value = half[j] - products[i, j]
                smallest = value if value < smallest else smallest
            if smallest < least:
                least, second, best_chunk = smallest, least, low
            elif smallest < second:
                second = smallest
        best = -1
        for j in range(best_chunk, min(k, best_chunk + CHUNK)):
            value = half[j] - products[i, j]
            if value == least and best < 0:
                best = j
            elif value < second:
                second = value
        label[i] = max(best, 0)
        others[i] = np.sqrt(max(np.float32(0.0), norms[i] + 2 * second))


@njit(cache=True, nogil=True)
def _settle(products, movers, half, norms, own, label, others, undecided):  # type: ignore[no-untyped-def]
    infinity = np.float32(np.inf)
    for i in range(norms.shape[0]):
        first = second = infinity
        mover = -1
        for m in range(movers.shape[0]):
            value = half[m] - products[i, m]
            if value < second and movers[m] != label[i]:
                if value < first:
                    second, first, mover = first, value, m
                else:
                    second = value
        first = np.sqrt(max(np.float32(0.0), norms[i] + 2 * first))
        if min(own[i], first) > others[i]:
            undecided[i] = True
        elif own[i] <= first:
            others[i] = min(others[i], first)
        else:
            second = np.sqrt(max(np.float32(0.0), norms[i] + 2 * second))
            label[i] = movers[mover]
            others[i] = min(others[i], own[i], second)


@njit(cache=True, nogil=True, fastmath=_REASSOCIATE)
def _distances(rows, centroids, label, out):  # type: ignore[no-untyped-def]
    for i in range(rows.shape[0]):
        centroid = label[i]
        total = np.float32(0.0)
        for d in range(rows.shape[1]):
            gap = rows[i, d] - centroids[centroid, d]
            total += gap * gap
        out[i] = total


@njit(cache=True, nogil=True)
def _move(sums, sizes, rows, before, after):  # type: ignore[no-untyped-def]
    moved = 0
    for i in range(rows.shape[0]):
        left, joined = before[i], after[i]
        if left == joined:
            continue
        moved += 1
        sizes[joined] += 1
        if left < 0:
            for d in range(rows.shape[1]):
                sums[joined, d] += rows[i, d]
        else:
            sizes[left] -= 1
            for d in range(rows.shape[1]):
                sums[joined, d] += rows[i, d]
                sums[left, d] -= rows[i, d]
    return moved
