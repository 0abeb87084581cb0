"""The speech clusters of a run as words that can be heard again in new speech: which one a segment is, how surely.

A segment goes to the cluster whose centroid is nearest, as in clustering. How sure that is, from 0 to 1, is a logistic
function of three things that need no transcript, all in units that do not depend on the model:

distance   squared distance to the centroid ÷ the total variance of the run's segments
variance   of the cluster ÷ the same: the paper's signal of quality, by which good words win over clusters of noise
margin     (other − own) ÷ (other + own), with the distance to the nearest cluster of another word

Two clusters are of one word where somebody merged them or gave them one name, or where they are grounded in the same
pictures: the cosine of their columns of the affinity matrix (Equation 2) is above SAME_WORD. Without that, the ten
clusters of a frequent word would make each other unsure. The four coefficients were fitted once, by logistic
regression on held-out captions of the demo corpus, and hold unchanged for other corpora (docs/commands.md has figures).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from avterm.errors import BadInput, UsageError
from avterm.store.curation import read_curation
from avterm.store.evaluation import read_evaluation
from avterm.store.groundings import Groundings
from avterm.store.run import Run

CONSTANT, MARGIN, DISTANCE, VARIANCE = 1.4, 3.0, -8.5, -11.0
SAME_WORD = 0.5
KEEP = ("kept", "accepted")
COMMON = (5, 95)  # percentiles of the lengths of the run's segments between which words are looked for
_BLOCK = 4096  # segments whose distances to all clusters are held at a time


@dataclass(frozen=True)
class Entry:
    """A speech cluster as a word: its number after merges, what it is called, whether it may be tagged."""

    cluster: int
    name: str | None  # given by somebody who curated
    label: str | None  # of an evaluation with word times
    wanted: bool


class Lexicon:
    """The clusters of one k, after curation. Rejected ones keep competing, so that what sounds like them is no other
    word; they are never an answer."""

    def __init__(self, run: Run, k: int | None = None, keep: str = "kept") -> None:
        """k None: the clusters made last. keep: `kept`: all that nobody rejected; `accepted`: only those.

        StoreError where there are no clusters, BadInput where they are empty.
        """
        if keep not in KEEP:
            raise UsageError(f"--keep {keep}: expected {' or '.join(KEEP)}")
        clusters = run.clusters(k)
        speech, self.run = clusters.speech, run
        self.k = len(speech)
        self.filled = np.flatnonzero((speech.size > 0) & (np.arange(self.k) != _number(clusters.noise)))
        if not len(self.filled):
            raise BadInput(f"{run.path}: the clusters of k = {self.k} are empty")
        curation = read_curation(run, self.k)
        evaluation = read_evaluation(run, self.k) or {"clusters": []}
        labels = {int(c["cluster"]): c.get("label") or None for c in evaluation["clusters"]}
        self.entries = []
        for c in self.filled.tolist():
            into = curation.merged_into(c)
            home = c if into is None else into
            states = {curation.state(c), curation.state(home)}
            wanted = "rejected" not in states and (keep == "kept" or curation.state(home) == "accepted")
            self.entries.append(Entry(home, curation.name(home), labels.get(home), wanted))
        self.centroid = speech.centroid[self.filled].astype(np.float32)
        self.measured, self.by_sound = speech.measured[self.filled].astype(np.float32), speech.by_sound
        variance = speech.variance[self.filled].astype(np.float64)
        size = speech.size[self.filled].astype(np.float64)
        mean = size @ self.measured / size.sum()
        between = size @ np.square(self.measured - mean).sum(1)
        self.total = float(max((between + size @ variance) / size.sum(), 1e-12))
        accepted = np.array([curation.state(e.cluster) == "accepted" for e in self.entries])
        self.variance = np.where(accepted, 0.0, variance)  # somebody listened: no need to go by the variance
        self._affinity = clusters.affinity[:, self.filled]
        clustered = speech.assignment != _number(clusters.noise)
        self.reach = np.inf if clustered.all() else float(speech.distance[clustered].max(initial=0))

    @cached_property
    def word(self) -> np.ndarray:
        """bool (clusters, clusters): whether two are of one word."""
        columns = np.clip(self._affinity, 0, None)
        columns = columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-12)
        cluster = np.array([e.cluster for e in self.entries])
        name = np.array([e.name or f"\0{e.cluster}" for e in self.entries])
        same = (cluster[:, None] == cluster) | (name[:, None] == name) | (columns.T @ columns > SAME_WORD)
        np.fill_diagonal(same, True)
        return np.asarray(same)

    @cached_property
    def wanted(self) -> np.ndarray:
        """bool (clusters,): which may be an answer."""
        return np.array([e.wanted for e in self.entries], bool)

    def judge(self, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 (S, D) embeddings, or (S, C) sounds if `by_sound` → int64 (S,) place among `entries` of the nearest
        cluster (ties: the lower), and float32 (S,) how sure it is, 0 where that cluster is not wanted and where even
        it is so far away that clustering would have called the segment noise."""
        nearest, sure = np.empty(len(segments), np.int64), np.empty(len(segments), np.float32)
        for start in range(0, len(segments), _BLOCK):
            gaps = squared_distances(segments[start : start + _BLOCK], self.measured)
            own = gaps.argmin(1)
            stop = start + len(gaps)
            within = gaps[np.arange(len(gaps)), own] <= self.reach
            nearest[start:stop], sure[start:stop] = own, np.where(within, self._sure(gaps, own), 0)
        return nearest, np.where(self.wanted[nearest], sure, 0)

    def _sure(self, gaps: np.ndarray, own: np.ndarray) -> np.ndarray:
        distance = gaps[np.arange(len(gaps)), own].astype(np.float64)
        other = np.where(self.word[own], np.inf, gaps).min(1)
        with np.errstate(invalid="ignore"):
            margin = np.where(np.isfinite(other), (other - distance) / np.maximum(other + distance, 1e-12), 1.0)
        score = CONSTANT + MARGIN * margin + (DISTANCE * distance + VARIANCE * self.variance[own]) / self.total
        return 1 / (1 + np.exp(-np.clip(score, -60, 60)))


def _number(noise: int | None) -> int:
    """The cluster of noise, or a number that no cluster has."""
    return -1 if noise is None else noise


def squared_distances(rows: np.ndarray, centroid: np.ndarray) -> np.ndarray:
    """float32 (S, D) embeddings, float32 (k, D) centroids → float32 (S, k), as clustering measured them.

    Spherical clustering normalises rows before it compares them, and its centroids all have length 1. Those of plain
    k-means do so only where every row has length 1 and is alone, and then normalising changes nothing.
    """
    if len(centroid) and np.allclose(np.linalg.norm(centroid, axis=1), 1, atol=1e-3):
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    gaps = np.square(rows).sum(1)[:, None] - 2 * rows @ centroid.T + np.square(centroid).sum(1)
    found: np.ndarray = np.maximum(gaps, 0)
    return found


def common_lengths(groundings: Groundings, step: int) -> tuple[int, int]:
    """Between which lengths, in frames and multiples of `step`, 90% of the run's segments lie.

    With the paper's borders that is its 50 to 100; with adaptive borders, what words really last.
    """
    segments = groundings.column("segment")[:]
    if not len(segments):
        raise BadInput(f"{groundings.folder}: holds no segment; ground with a model that trained well")
    low, high = np.percentile(segments[:, 1] - segments[:, 0], COMMON)
    shortest = max(int(low // step) * step, step)
    return shortest, max(int(-(-high // step)) * step, shortest)
