"""Recall within and across speakers: does a caption find its picture among those that the same person describes, and
among those that only others do?

search      a caption's own picture among the pictures that its speaker describes (within), or among those that only
            others describe (across)
annotation  a caption among its speaker's captions (within), or among the others' (across), as its picture orders them;
            other captions of the same picture do not count

The right answer is always a candidate. Captions whose speaker is not known ask nothing, and are candidates of nobody.
The number of candidates differs from speaker to speaker, so that what chance would give is told beside each recall.
"""

from __future__ import annotations

import numpy as np

WAYS = ("search", "annotation")
COMPANY = ("within_speaker", "across_speakers")


class SpeakerRanks:
    """Ranks of every caption among both kinds of candidates, collected as `RankCounter` does, and with its ties."""

    def __init__(self, picture_of_caption: np.ndarray, pictures: int, speaker: np.ndarray) -> None:
        """int64 (captions,) own picture of each; int64 (captions,) speaker of each, -1 for unknown."""
        self.own, self.speaker = np.asarray(picture_of_caption, np.int64), np.asarray(speaker, np.int64)
        speakers = int(self.speaker.max(initial=-1)) + 1
        known = self.speaker >= 0
        self._describes = np.zeros((max(speakers, 1), pictures), bool)
        self._describes[self.speaker[known], self.own[known]] = True
        self._described: np.ndarray = np.asarray(self._describes.any(0))
        self._true = np.zeros(len(self.own), np.float32)
        shape = (len(WAYS), len(COMPANY), len(self.own))
        self._before, self._against = np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def first_pass(self, start: int, scores: np.ndarray) -> None:
        """Scores (rows, pictures) of the captions from `start` on."""
        place = slice(start, start + len(scores))
        own, columns = self.own[place], np.arange(scores.shape[1])[None]
        true = scores[np.arange(len(scores)), own][:, None]
        self._true[place] = true[:, 0]
        before = (scores > true) | ((scores == true) & (columns < own[:, None]))
        mine = self._describes[np.maximum(self.speaker[place], 0)]
        rivals = self._described[None] & (columns != own[:, None])
        for company, kept in enumerate((rivals & mine, rivals & ~mine)):
            self._before[0, company, place] = (before & kept).sum(1)
            self._against[0, company, place] = kept.sum(1)

    def second_pass(self, start: int, scores: np.ndarray) -> None:
        """The same scores again, once `first_pass` has seen all."""
        rows = np.arange(start, start + len(scores))
        on_own = scores[:, self.own]  # (rows, captions): each of these captions on every caption's picture
        captions = np.arange(len(self.own))[None]
        before = (on_own > self._true) | ((on_own == self._true) & (rows[:, None] < captions))
        rivals = (self.own[rows][:, None] != self.own) & (self.speaker[rows] >= 0)[:, None]
        mine = self.speaker[rows][:, None] == self.speaker
        for company, kept in enumerate((rivals & mine, rivals & ~mine)):
            self._before[1, company] += (before & kept).sum(0)
            self._against[1, company] += kept.sum(0)

    def ranks(self, way: str, company: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """int64 (N,) captions that ask, their ranks from 0, and how many candidates each has, the right one counted.

        Only captions whose speaker is known and that have any rival.
        """
        at = WAYS.index(way), COMPANY.index(company)
        asking = np.flatnonzero((self.speaker >= 0) & (self._against[at] > 0))
        return asking, self._before[at][asking], self._against[at][asking] + 1


def chance(candidates: np.ndarray, top: int) -> float:
    """The mean share of questions that a draw of `top` of each one's candidates answers; NaN where nobody asks."""
    return float(np.mean(np.minimum(top / candidates, 1))) if len(candidates) else float("nan")
