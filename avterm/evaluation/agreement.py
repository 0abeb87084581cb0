"""How far two descriptions of the same things agree: mutual information of groupings, correlation of ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def normalised_mutual_information(labels: Sequence[str], assignment: np.ndarray) -> float | None:
    """2 I(L; C) ÷ (H(L) + H(C)) of label strings and clusters int (N,); None for N = 0."""
    if not labels:
        return None
    number: dict[str, int] = {}
    coded = np.array([number.setdefault(label, len(number)) for label in labels], np.int64)
    cluster = assignment.astype(np.int64)
    joint = entropy(np.unique(cluster * len(number) + coded, return_counts=True)[1])
    label, group = entropy(np.bincount(coded)), entropy(np.bincount(cluster))
    if label + group == 0:
        return 1.0
    return float(min(max(2 * (label + group - joint) / (label + group), 0.0), 1.0))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's correlation of two (N,); ties share their mean rank. None where either does not vary."""
    x, y = _ranks(np.asarray(a)), _ranks(np.asarray(b))
    if not len(x):
        return None
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else None


def entropy(counts: np.ndarray) -> float:
    """In nats, of shares that are proportional to these counts; all zero: 0."""
    share = counts[counts > 0] / max(counts.sum(), 1e-300)
    return float(-(share * np.log(share)).sum())


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]
