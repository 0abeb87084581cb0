"""Every rank of a split in two passes over its scores: of all captions and pictures, and by speaker where known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from avterm.evaluation.bootstrap import Bootstrap
from avterm.model.pair import PairModel
from avterm.retrieval.by_speaker import COMPANY, WAYS, SpeakerRanks, chance
from avterm.retrieval.ranks import RankCounter, Recall
from avterm.retrieval.recall import score_blocks
from avterm.training.data import PairData

_KEPT = 1 << 24  # scores that are kept for the second pass instead of computed again


@dataclass(frozen=True)
class Ranked:
    """Ranks from 0, and the picture that each belongs to: pictures are what is resampled for intervals."""

    search: np.ndarray  # int64 (captions,)
    search_of: np.ndarray
    annotation: np.ndarray  # int64 (described pictures,)
    annotation_of: np.ndarray
    pictures: int
    by_speaker: SpeakerRanks | None  # None where fewer than two speakers are known

    def summary(self, rounds: int, seed: int) -> dict[str, dict[str, float | list[float]]]:
        """R@1, R@5, R@10, median rank, and intervals, of "search" and "annotation", and with "_within_speaker" and
        "_across_speakers", where also "captions", "candidates" (their mean number) and "chance_r10"."""
        sure = Bootstrap(self.pictures, rounds, seed)
        found: dict[str, dict[str, float | list[float]]] = {}
        for way in WAYS:
            found[way] = _recall(sure, way, getattr(self, way), getattr(self, f"{way}_of"))
            for company in COMPANY:
                if self.by_speaker is None:
                    continue
                name = f"{way}_{company}"
                asking, ranks, candidates = self.by_speaker.ranks(way, company)
                if len(asking):
                    found[name] = _recall(sure, name, ranks, self.search_of[asking])
                    found[name] |= {"captions": len(asking), "candidates": float(candidates.mean())}
                    found[name]["chance_r10"] = chance(candidates, 10)
        for name, interval in sure.intervals().items():
            way, _, figure = name.partition(" ")
            found[way][f"{figure}_interval"] = interval
        return found


def ranked(model: PairModel, data: PairData, frames: int = 1000) -> Ranked:
    """All ranks on these pairs, captions cut to 10 s as in Table 1."""
    model.eval()
    names = sorted({p.speaker for p in data.pairs if p.speaker})
    number = {name: i for i, name in enumerate(names)}
    speaker = np.array([number.get(p.speaker or "", -1) for p in data.pairs], np.int64)
    pictures = len(data.distinct)
    counter, by_speaker = RankCounter(data.place, pictures), SpeakerRanks(data.place, pictures, speaker)
    kept: list[tuple[int, np.ndarray]] = []
    for start, scores in score_blocks(model, data, frames):
        counter.first_pass(start, scores)
        by_speaker.first_pass(start, scores)
        if len(data) * pictures <= _KEPT:
            kept.append((start, scores))
    counts = np.zeros(pictures, np.int64)
    again: Iterator[tuple[int, np.ndarray]] = iter(kept) if kept else score_blocks(model, data, frames)
    for start, scores in again:
        counter.second_pass(start, scores, counts)
        if len(names) > 1:
            by_speaker.second_pass(start, scores)
    return Ranked(
        counter.search,
        np.asarray(data.place, np.int64),
        counts[counter.described],
        np.flatnonzero(counter.described),
        pictures,
        by_speaker if len(names) > 1 else None,
    )


def _recall(sure: Bootstrap, name: str, ranks: np.ndarray, owner: np.ndarray) -> dict[str, float | list[float]]:
    for top in (1, 5, 10):
        sure.mean(f"{name} r{top}", ranks < top, owner)
    sure.median(f"{name} median_rank", ranks + 1, owner)
    return {**Recall.of(ranks).as_dict()}
