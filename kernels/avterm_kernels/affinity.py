"""Inner products row by row, and their sums over pairs of clusters (Equation 2)."""

from __future__ import annotations

import numpy as np
from numba import njit


def row_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float32 (n,): inner product of each row of `left` with the same row of `right`, both (n, D) float16 or float32.

    A row of float16 that holds an infinity or NaN gives NaN. One thread, without the interpreter's lock. ValueError
    where shapes or types differ or are others.
    """
    if left.shape != right.shape or left.ndim != 2:
        raise ValueError(f"expected two arrays of one shape (n, D), found {left.shape} and {right.shape}")
    if left.dtype != right.dtype or left.dtype not in (np.float16, np.float32):
        raise ValueError(f"expected float16 or float32 on both sides, found {left.dtype} and {right.dtype}")
    out = np.empty(len(left), np.float32)
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    if left.dtype == np.float16:
        _half_products(left.view(np.uint16), right.view(np.uint16), out)
    else:
        _products(left, right, out)
    return out


def add_by_clusters(
    total: np.ndarray, products: np.ndarray, image_cluster: np.ndarray, speech_cluster: np.ndarray
) -> None:
    """Add products, float32 (n,), to total[image_cluster, speech_cluster], float64 (k_image, k_speech), in their order.

    image_cluster, speech_cluster: int (n,). ValueError where lengths differ or a cluster is outside of `total`.
    """
    if not len(products) == len(image_cluster) == len(speech_cluster):
        raise ValueError(f"expected one length, found {len(products)}, {len(image_cluster)}, {len(speech_cluster)}")
    for cluster, count in zip((image_cluster, speech_cluster), total.shape, strict=True):
        if len(cluster) and not 0 <= cluster.min() <= cluster.max() < count:
            raise ValueError(f"expected clusters from 0 to {count - 1}, found {cluster.min()} to {cluster.max()}")
    _add_by_clusters(total, products, image_cluster, speech_cluster)


@njit(cache=True)
def _single(bits):  # type: ignore[no-untyped-def]
    """A finite float16's bits → float32: its exponent and fraction moved in place, then scaled by 2^112."""
    moved = np.int32(((np.int32(bits) & 0x7FFF) << 13) | ((np.int32(bits) & 0x8000) << 16))
    return moved.view(np.float32) * np.float32(5.192296858534828e33)


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _half_products(left, right, out):  # type: ignore[no-untyped-def]
    depth = left.shape[1]
    one, other = np.empty(depth, np.float32), np.empty(depth, np.float32)
    for i in range(left.shape[0]):
        # Both rows first: within one expression the two scales would be multiplied together, and 2^224 is infinite.
        largest = np.int32(0)
        for d in range(depth):
            one[d] = _single(left[i, d])
            largest = max(largest, np.int32(left[i, d]) & 0x7FFF)
        for d in range(depth):
            other[d] = _single(right[i, d])
            largest = max(largest, np.int32(right[i, d]) & 0x7FFF)
        total = np.float32(0.0)
        for d in range(depth):
            total += one[d] * other[d]
        out[i] = total if largest < 0x7C00 else np.float32(np.nan)


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _products(left, right, out):  # type: ignore[no-untyped-def]
    for i in range(left.shape[0]):
        total = np.float32(0.0)
        for d in range(left.shape[1]):
            total += left[i, d] * right[i, d]
        out[i] = total


@njit(cache=True, nogil=True)
def _add_by_clusters(total, products, image_cluster, speech_cluster):  # type: ignore[no-untyped-def]
    for i in range(products.shape[0]):
        total[image_cluster[i], speech_cluster[i]] += np.float64(products[i])
