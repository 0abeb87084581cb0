"""By what training chooses the epoch whose model is kept, and the training figure marks it."""

from __future__ import annotations

from collections.abc import Mapping

KEYS = ("search_r10", "annotation_r10", "search_r5", "annotation_r5")


def mean_recall(epoch: Mapping[str, float]) -> float | None:
    """Mean of R@5 and R@10 both ways, of an epoch's figures; None where it was not validated."""
    return sum(epoch[key] for key in KEYS) / len(KEYS) if all(key in epoch for key in KEYS) else None
