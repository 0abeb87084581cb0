"""The best of very many scores, in memory for those that are kept only."""

from __future__ import annotations

import numpy as np


class Best:
    """The `most` highest scores seen, with the rows they belong to. Ties: the lower row; NaN is never kept."""

    def __init__(self, most: int) -> None:
        """Nothing seen yet."""
        self.most = most
        self.rows = np.zeros(0, np.int64)
        self.scores = np.zeros(0, np.float32)
        self.extra = np.zeros(0, np.int64)

    def add(self, rows: np.ndarray, scores: np.ndarray, extra: np.ndarray | None = None) -> None:
        """int64 (N,) rows and their float32 (N,) scores, in any order; `extra` int64 (N,) comes along."""
        extra = np.zeros(len(rows), np.int64) if extra is None else extra
        known = ~np.isnan(scores)
        all_rows = np.concatenate([self.rows, np.asarray(rows, np.int64)[known]])
        all_scores = np.concatenate([self.scores, np.asarray(scores, np.float32)[known]])
        all_extra = np.concatenate([self.extra, np.asarray(extra, np.int64)[known]])
        order = np.lexsort((all_rows, -all_scores))[: self.most]
        self.rows, self.scores, self.extra = all_rows[order], all_scores[order], all_extra[order]
