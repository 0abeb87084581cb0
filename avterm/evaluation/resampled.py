"""Figures of clusters that are no ratios of sums, as functions of how often each pair was drawn (for intervals)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_array

from avterm.evaluation.agreement import entropy, rank_correlation

Figure = Callable[[np.ndarray], float | None]


def mutual_information(labels: Sequence[str], assignment: np.ndarray, owner: np.ndarray, owners: int) -> Figure:
    """Normalised mutual information of label strings (N,) and clusters int (N,), each of `owner` int (N,)."""
    number: dict[str, int] = {}
    coded = np.array([number.setdefault(label, len(number)) for label in labels], np.int64)
    pairs, place = np.unique(np.stack([assignment.astype(np.int64), coded]), axis=1, return_inverse=True)
    table = sums(np.ones(len(coded)), owner, place.reshape(-1), (owners, pairs.shape[1]))

    def figure(weights: np.ndarray) -> float | None:
        joint = weights @ table
        if not joint.sum():
            return None
        label, cluster = np.bincount(pairs[1], joint), np.bincount(pairs[0], joint)
        apart = entropy(label) + entropy(cluster)
        return float(np.clip(2 * (apart - entropy(joint)) / apart, 0, 1)) if apart else 1.0

    return figure


def variance_and_purity(
    matches: np.ndarray, told: np.ndarray, distance: np.ndarray, assignment: np.ndarray, owner: np.ndarray,
    shape: tuple[int, int],
) -> Figure:  # fmt: skip
    """Spearman's correlation of the variances and the purities of clusters, whose labels stay as they are.

    matches, told: bool (N,), whether a segment carries its cluster's label, and whether it has one; distance: float32
    (N,) squared, to the centroid; assignment, owner: int (N,); shape: how many owners and clusters there are.
    """
    one = np.ones(len(assignment))
    tables = [sums(v, owner, assignment, shape) for v in (matches & told, told, distance, one)]

    def figure(weights: np.ndarray) -> float | None:
        right, labelled, gaps, size = (weights @ table for table in tables)
        drawn = labelled > 0
        return rank_correlation(gaps[drawn] / size[drawn], right[drawn] / labelled[drawn])

    return figure


def sums(values: np.ndarray, owner: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """float64 (owners, columns): Σ of the values (N,) of each owner and column."""
    return csr_array((np.asarray(values, np.float64), (owner, column)), shape=shape)
