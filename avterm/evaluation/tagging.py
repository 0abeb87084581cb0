"""How many tags of new recordings are right, and how many spoken words they find, by confidence.

A tag is right where its cluster's label is spoken in it: where at least half of the duration of the label's word, or of
its words one after the other, lies inside the tag. Precision is the share of tags that are right; a tag without a label
is not. Recall is over the spoken words that are by themselves the label of a cluster: the share of them that a right
tag holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from avterm.corpus.words import Word
from avterm.evaluation.bootstrap import Bootstrap

HALF = 0.5
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Claim:
    """A tag as evaluation sees it: seconds, what it says is spoken (None: nothing that is known), how surely."""

    start: float
    end: float
    label: str | None
    confidence: float


def score_tags(
    tags: Mapping[str, Sequence[Claim]],
    words: Mapping[str, Sequence[Word]],
    labels: Collection[str],
    thresholds: Sequence[float] = THRESHOLDS,
    rounds: int = 1000,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """One row a threshold: tags of at least this confidence, right ones, words spoken and found, precision, recall, F.

    tags and words: by recording; those of `tags` count, a recording without words is one without speech. labels: what
    the tagger can say. Shares of nothing are None. Intervals by resampling recordings.
    """
    names = list(tags)
    judged = [_judge(tags[name], words.get(name, ()), labels) for name in names]
    found = []
    for threshold in thresholds:
        counts = np.array([j.count(threshold) for j in judged], np.float64).reshape(-1, 4)
        sure = Bootstrap(len(names), rounds, seed)
        sure.ratio("precision", counts[:, 1], counts[:, 0])
        sure.ratio("recall", counts[:, 3], counts[:, 2])
        total, right, spoken, held = (int(n) for n in counts.sum(0))
        precision, recall = right / total if total else None, held / spoken if spoken else None
        row: dict[str, Any] = {"min_confidence": threshold, "recordings": len(names), "tags": total, "right": right}
        row |= {"spoken": spoken, "found": held, "precision": precision, "recall": recall, "f": _f(precision, recall)}
        found.append(row | {f"{name}_interval": interval for name, interval in sure.intervals().items()})
    return found


@dataclass(frozen=True)
class _Judged:
    """One recording: confidence and rightness of each tag, and of each spoken word that can be found the confidence of
    the surest right tag that holds it, below 0 where none does."""

    confidence: np.ndarray
    right: np.ndarray
    held: np.ndarray

    def count(self, threshold: float) -> tuple[int, int, int, int]:
        """Tags, right ones, words, found ones."""
        kept = self.confidence >= threshold
        return int(kept.sum()), int((kept & self.right).sum()), len(self.held), int((self.held >= threshold).sum())


def _judge(tags: Sequence[Claim], words: Sequence[Word], labels: Collection[str]) -> _Judged:
    spoken = [i for i, word in enumerate(words) if word.word in labels]
    held = dict.fromkeys(spoken, -1.0)
    right = []
    for tag in tags:
        places = _inside(tag, words)
        right.append(bool(places))
        for place in places:
            if place in held and words[place].word == tag.label:
                held[place] = max(held[place], tag.confidence)
    confidence = np.array([tag.confidence for tag in tags], np.float64)
    return _Judged(confidence, np.array(right, bool), np.array(list(held.values()), np.float64))


def _inside(tag: Claim, words: Sequence[Word]) -> list[int]:
    """First places of the words that spell the tag's label and lie at least half inside it."""
    wanted = (tag.label or "").split()
    if not wanted:
        return []
    found = []
    for place in range(len(words) - len(wanted) + 1):
        run = words[place : place + len(wanted)]
        start, end = run[0].start, run[-1].end
        inner = min(tag.end, end) - max(tag.start, start)
        if inner > 0 and inner >= HALF * (end - start) - 1e-9 and [w.word for w in run] == wanted:
            found.append(place)
    return found


def _f(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
