"""Grouping and normalised edit distance (NED) of clusters, as ZeroSpeech's evaluation tdev2 defines them.

grouping   precision: of the tokens in clusters of two members or more, those that share their cluster with another
           fragment of the same phones that does not overlap them; recall: the same, of the tokens for which there is
           such a fragment in any cluster
NED        mean over pairs of members of a cluster: edit distance of their phones, silence aside, ÷ the longer one

A token is a stretch of phones in a caption: fragments that hold the same phones are one token. tdev2 weighs types by
their number of tokens, which comes down to these counts; it goes through all pairs to find them, which a million
fragments forbid, so a fragment's company is told from the first end and the last start in its group. One thing is not
taken over: tdev2 takes tokens of different files for one where their phones and times agree to the last digit.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from avterm.corpus.words import Word
from avterm.evaluation.discovery import Fragment, PhoneLine
from avterm.evaluation.distance import Spellings, normalised_distances

_SILENCE = "SIL"
_EXACT = 4_000_000  # pairs of distinct spellings that are all measured; where there are more, pairs are drawn
_DRAWN = 1_000_000
_COLUMNS = ("file", "start", "end", "cluster", "spelling", "spoken", "token")


class Grouping:
    """Clusters gathered caption by caption."""

    def __init__(self, seed: int = 1) -> None:
        """seed: for drawing pairs where there are too many to measure."""
        self._seed = seed
        self._files = self._tokens = 0
        self._rows = array("q")
        self._spellings: dict[tuple[str, ...], int] = {}
        self._spoken: dict[tuple[str, ...], int] = {}  # without silence

    def add(self, fragments: Sequence[Fragment], clusters: Sequence[int], phones: Sequence[Word]) -> None:
        """Take in one caption. fragments: (start, end) in seconds, each in the cluster beside it (the same one twice in
        a cluster counts once); phones: everything in the caption, silence as SIL, in order and without overlap."""
        line = PhoneLine(phones)
        tokens: dict[tuple[float, float], int] = {}
        for (start, end), cluster in sorted(set(zip(fragments, clusters, strict=True))):
            held = line.transcribe(start, end)
            if not held:
                continue
            symbols = tuple(p.word for p in held)
            voiced = tuple(s for s in symbols if s != _SILENCE)
            token = tokens.setdefault((held[0].start, held[-1].end), self._tokens + len(tokens))
            spelling = self._spellings.setdefault(symbols, len(self._spellings))
            spoken = self._spoken.setdefault(voiced, len(self._spoken))
            times = round(start * 1_000_000), round(end * 1_000_000)
            self._rows.extend((self._files, *times, int(cluster), spelling, spoken, token))
        self._files += 1
        self._tokens += len(tokens)

    def scores(self) -> dict[str, float | int | None]:
        """grouping_precision, grouping_recall, grouping_f; ned, and of how many pairs (ned_pairs), of which ned_drawn
        were drawn at random where there are too many to measure (0: all were measured). None for a share of nothing."""
        table = np.array(self._rows, np.int64).reshape(-1, len(_COLUMNS))
        column = dict(zip(_COLUMNS, table.T, strict=True))
        cluster = np.unique(column["cluster"], return_inverse=True)[1]
        paired = np.bincount(cluster)[cluster] > 1
        together = cluster * (len(self._spellings) + 1) + column["spelling"]
        found, gold, both = (
            len(np.unique(column["token"][kept]))
            for kept in (paired, _accompanied(column["spelling"], column), _accompanied(together, column))
        )
        return {
            "grouping_precision": both / found if found else None,
            "grouping_recall": both / gold if gold else None,
            "grouping_f": 2 * both / (found + gold) if found and gold else None,
            **self._ned(cluster, column["spoken"]),
        }

    def _ned(self, cluster: np.ndarray, spoken: np.ndarray) -> dict[str, float | int | None]:
        size = np.bincount(cluster)
        pairs = int((size * (size - 1) // 2).sum())
        spellings = Spellings(list(self._spoken))
        held, many = np.unique(np.stack([cluster, spoken]), axis=1, return_counts=True)
        distinct = np.bincount(held[0])
        drawn, value = 0, None
        if pairs and int((distinct * (distinct - 1) // 2).sum()) <= _EXACT:
            value = _whole(spellings, held, many) / pairs
        elif pairs:
            drawn = _DRAWN
            members = _draw(cluster, size, drawn, np.random.default_rng(self._seed))
            value = float(normalised_distances(spellings, spoken[members[0]], spoken[members[1]]).mean())
        return {"ned": value, "ned_pairs": pairs, "ned_drawn": drawn}


def _accompanied(group: np.ndarray, column: dict[str, np.ndarray]) -> np.ndarray:
    """bool (N,): whether another fragment of the group does not overlap this one."""
    _, place = np.unique(group, return_inverse=True)
    count, largest = int(place.max(initial=-1)) + 1, np.iinfo(np.int64).max
    low, high = np.full(count, largest), np.full(count, -1)
    first_end, last_start = np.full(count, largest), np.full(count, -1)
    np.minimum.at(low, place, column["file"])
    np.maximum.at(high, place, column["file"])
    np.minimum.at(first_end, place, column["end"])
    np.maximum.at(last_start, place, column["start"])
    elsewhere = (low < high)[place]
    apart = (first_end[place] <= column["start"]) | (last_start[place] >= column["end"])
    return elsewhere | apart


def _whole(spellings: Spellings, held: np.ndarray, many: np.ndarray) -> float:
    """Sum of the distances of all pairs of members. held: int (2, M), distinct (cluster, spelling) in order; many: (M,)
    members of each."""
    alike = many * (many - 1) // 2
    total = float((alike * normalised_distances(spellings, held[1], held[1])).sum())
    edges = np.concatenate([[0], np.cumsum(np.bincount(held[0]))])
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        first, second = np.triu_indices(stop - start, 1)
        first, second = first + start, second + start
        apart = normalised_distances(spellings, held[1, first], held[1, second])
        total += float((many[first] * many[second] * apart).sum())
    return total


def _draw(cluster: np.ndarray, size: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """int (2, count): rows of pairs of members of a cluster, every pair as likely as another."""
    order = np.argsort(cluster, kind="stable")
    first_of = np.concatenate([[0], np.cumsum(size)])[:-1]
    pairs = size * (size - 1) / 2
    chosen = random.choice(len(size), count, p=pairs / pairs.sum())
    one = random.integers(0, size[chosen])
    other = random.integers(0, size[chosen] - 1)
    other += other >= one
    return np.stack([order[first_of[chosen] + one], order[first_of[chosen] + other]])
