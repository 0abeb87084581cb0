"""Where the right answer stands among all answers, computed in chunks (section 5, Table 1).

Ties: an answer with the same score counts before the right one if its index is lower, so the ranks of a full matrix
and of any chunking are the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from avterm.training.world import World


@dataclass(frozen=True)
class Recall:
    """R@1, R@5, R@10 as shares, and the median rank, counted from 1."""

    r1: float
    r5: float
    r10: float
    median_rank: float

    @classmethod
    def of(cls, ranks: np.ndarray) -> Recall:
        """From ranks counted from 0; NaN where there is none."""
        if not len(ranks):
            return cls(np.nan, np.nan, np.nan, np.nan)
        r1, r5, r10 = (float(np.mean(ranks < n)) for n in (1, 5, 10))
        return cls(r1, r5, r10, float(np.median(ranks) + 1))

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


class RankCounter:
    """Collects scores row by row (captions × all pictures) and gives the ranks both ways at the end.

    Search: each caption's own picture among all pictures. Annotation: each picture's best-placed caption among all
    captions, its other own captions aside.
    """

    def __init__(self, picture_of_caption: np.ndarray, pictures: int) -> None:
        """picture_of_caption: (captions,) int64, the column of each caption's own picture."""
        self.own = np.asarray(picture_of_caption, np.int64)
        self.search = np.zeros(len(self.own), np.int64)
        self._best = np.full(pictures, -np.inf, np.float32)
        self._best_row = np.full(pictures, -1, np.int64)
        self._blocks: list[tuple[int, np.ndarray]] = []

    def first_pass(self, start: int, scores: np.ndarray) -> None:
        """Scores (rows, pictures) of the captions from `start` on: search ranks and each picture's best own caption."""
        rows = np.arange(len(scores))
        own = self.own[start : start + len(scores)]
        true = scores[rows, own][:, None]
        columns = np.arange(scores.shape[1])[None]
        before = (scores > true) | ((scores == true) & (columns < own[:, None]))
        self.search[start : start + len(scores)] = before.sum(1)
        for row, (picture, score) in enumerate(zip(own, true[:, 0], strict=True)):
            if score > self._best[picture]:
                self._best[picture], self._best_row[picture] = score, start + row

    def join(self, world: World) -> None:
        """Between the passes, where several processes each saw some of the captions: what the others found."""
        self.search = world.total(self.search)
        best = world.largest(self._best)
        mine = (self._best_row >= 0) & (self._best == best)
        row = world.smallest(np.where(mine, self._best_row, len(self.own)))
        self._best, self._best_row = best, np.where(row < len(self.own), row, -1)

    def second_pass(self, start: int, scores: np.ndarray, counts: np.ndarray) -> None:
        """Add to `counts` (pictures,) how many of these captions stand before each picture's best own one."""
        rows = np.arange(start, start + len(scores))[:, None]
        before = (scores > self._best) | ((scores == self._best) & (rows < self._best_row[None]))
        own = self.own[start : start + len(scores)]
        before[np.arange(len(scores)), own] = False
        counts += before.sum(0)

    @property
    def described(self) -> np.ndarray:
        """Which pictures have a caption at all."""
        return self._best_row >= 0


def ranks(scores: np.ndarray, picture_of_caption: np.ndarray, chunk: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """(captions, pictures) scores → search ranks (captions,) and annotation ranks (described pictures,), from 0."""
    counter = RankCounter(picture_of_caption, scores.shape[1])
    for start in range(0, len(scores), chunk):
        counter.first_pass(start, scores[start : start + chunk])
    counts = np.zeros(scores.shape[1], np.int64)
    for start in range(0, len(scores), chunk):
        counter.second_pass(start, scores[start : start + chunk], counts)
    return counter.search, counts[counter.described]
