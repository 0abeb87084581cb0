"""Inner products row by row, and their sums over pairs of clusters (Equation 2)."""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic


def row_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float32 (n,): inner product of each row of `left` with the same row of `right`, both (n, D) float16 or float32.

    One thread, without the interpreter's lock. ValueError where shapes or types differ or are others.
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


@intrinsic
def _single(context, bits):  # type: ignore[no-untyped-def]
    """A float16's bits, uint16 → float32, by the processor's own conversion, which also takes whole vectors."""

    def convert(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        half = builder.bitcast(arguments[0], cgutils.ir.HalfType())  # type: ignore[attr-defined]
        return builder.fpext(half, cgutils.ir.FloatType())  # type: ignore[attr-defined]

    return types.float32(types.uint16), convert


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _half_products(left, right, out):  # type: ignore[no-untyped-def]
    for i in range(left.shape[0]):
        total = np.float32(0.0)
        for d in range(left.shape[1]):
            total += _single(left[i, d]) * _single(right[i, d])  # type: ignore[call-arg]
        out[i] = total


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
