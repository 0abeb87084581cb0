"""`avterm evaluate`: how good the clusters of a run are, against word times and true boxes (section 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from avterm.config import fingerprint
from avterm.engine.mapping import HERE, Engine
from avterm.evaluation.agreement import normalised_mutual_information, rank_correlation
from avterm.evaluation.bootstrap import Bootstrap
from avterm.evaluation.discovery import COUNTS, TermDiscovery, letters, with_silence
from avterm.evaluation.grouping import Grouping
from avterm.evaluation.labels import (
    SILENCE,
    UNKNOWN,
    ClusterQuality,
    cluster_quality,
    contains,
    count_instances,
    instances_by_caption,
    overall,
)
from avterm.evaluation.resampled import mutual_information, variance_and_purity
from avterm.evaluation.speakers import company, speaker_hits, speaker_scores
from avterm.evaluation.truth import Boxes, Truth, Words, compare, localisation
from avterm.progress import Progress
from avterm.store.clusters import NOISE, Clusters
from avterm.store.evaluation import labels_fingerprint, read_evaluation, remove_labels, write_evaluation, write_labels
from avterm.store.run import Run
from avterm.units import seconds_in

_VERSION = 5  # of what is computed: another one evaluates again


@dataclass(frozen=True)
class Known:
    """What is known of a corpus beside its pairs. phones: as words, one symbol each; empty: letters stand in."""

    words: Words
    boxes: Boxes
    phones: Words

    @cached_property
    def digest(self) -> str:
        """Changes when any time, word or box changes."""
        digest = hashlib.sha256()
        for table in (self.words, self.boxes, self.phones):
            for id, items in sorted(table.items()):
                digest.update(repr((id, list(items))).encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
        return digest.hexdigest()[:16]


def evaluate(
    run: Run,
    ks: Sequence[int],
    words: Words,
    boxes: Boxes,
    progress: Progress,
    phones: Words | None = None,
    engine: Engine = HERE,
) -> dict[int, dict[str, Any]]:
    """Evaluate the clusters of each k; writes evaluation/kNNNNN.json and labels.h5, and returns what it wrote.

    Each value has "overall" (a row of Table 4, share of silence, localisation, agreement, scores of term discovery, by
    speaker, and "…_interval" by resampling pairs), "pruned" (Table 4's rows by variance), and "clusters". Without any
    word times there are no labels, and clusters are told apart by their variance alone. What was evaluated already from
    the same clusters, words and boxes is read back.
    """
    store, known = run.groundings, Known(words, boxes, phones or {})
    speakers = [run.corpus[id].speaker if id in run.corpus.index else None for id in store.ids]
    base = fingerprint("evaluate", _VERSION, store.digest, run.config.evaluation, known.digest, speakers)
    found: dict[int, dict[str, Any]] = {}
    truth: Truth | None = None
    if not words:
        remove_labels(run)  # those of words that are known no longer
    for k in ks:
        clusters = run.clusters(k)
        key = fingerprint(base, clusters.fingerprint)
        there = read_evaluation(run, k)
        if there is not None and there.get("made_from") == key and (not words or labels_fingerprint(run) == base):
            found[k] = there
            continue
        if words and truth is None:
            truth = compare(store, words, boxes, run.config.evaluation.word_share, progress, engine)
            write_labels(run, truth.labels, base)
        found[k] = {
            **_Evaluation(run, clusters, truth, known, speakers).value(),
            "made_from": key,
            "clusters_made_from": clusters.fingerprint,
        }
        write_evaluation(run, k, found[k])
    run.save()  # only now that they did not fail do these settings become the run's own
    run.finish("evaluate", base, {**found[ks[-1]]["overall"], "k": ks[-1]})
    return found


class _Evaluation:
    """The figures of one k."""

    def __init__(
        self, run: Run, clusters: Clusters, truth: Truth | None, known: Known, speakers: Sequence[str | None]
    ) -> None:
        self.run, self.clusters, self.truth, self.known = run, clusters, truth, known
        self.store, self.config = run.groundings, run.config.evaluation
        self.assignment, self.noise = clusters.speech.assignment, clusters.noise
        self.owner = self.store.pair_of(np.arange(len(self.store)))
        number = {name: i for i, name in enumerate(sorted({s for s in speakers if s}))}
        self.speaker = np.array([number.get(s or "", -1) for s in speakers], np.int64)[self.owner]

    def value(self) -> dict[str, Any]:
        """Everything but what it was made from."""
        k, speech = len(self.clusters.speech), self.clusters.speech
        words = speech.size > 0
        if self.noise is not None:
            words[self.noise] = False
        whole: dict[str, Any] = {"k": k, "pairs": self.store.pair_count, "groundings": len(self.store)}
        quality = None if self.truth is None else self._quality(self.truth)
        if self.truth is not None and quality is not None:
            self._measure(whole, self.truth, quality)
        pruned = []
        for limit in (float("inf"), *self.config.prune):
            row = {"k": k, "variance_below": _known(limit)}
            if quality is not None:
                row |= _finite(overall(quality, speech.variance, limit))
            else:
                below = words & (speech.variance < limit)
                row |= {"clusters": int(below.sum()), "points": int(speech.size[below].sum())}
                row |= {"purity": None, "labels": None, "coverage": None}
            pruned.append(row)
        return {"overall": whole, "clusters": self._rows(quality), "pruned": pruned}

    def _captions(self) -> Iterable[Sequence[Any]]:
        return (self.known.words[id] for id in self.store.ids if id in self.known.words)

    def _labels(self, truth: Truth) -> list[str]:
        """Of the segments that are in a cluster; those left over as noise are unknown, and neither vote nor count."""
        return [
            UNKNOWN if c == self.noise else label
            for label, c in zip(truth.labels, self.assignment.tolist(), strict=True)
        ]

    def _quality(self, truth: Truth) -> list[ClusterQuality]:
        k, labels = len(self.clusters.speech), self._labels(truth)
        named = cluster_quality(labels, self.assignment, k, {})
        instances = count_instances(self._captions(), {q.label for q in named})
        return cluster_quality(labels, self.assignment, k, instances)

    def _measure(self, whole: dict[str, Any], truth: Truth, quality: Sequence[ClusterQuality]) -> None:
        """Add everything that labels tell to `whole`, with intervals by resampling pairs."""
        labels = self._labels(truth)
        matches = np.array(
            [contains(label, quality[c].label) for label, c in zip(labels, self.assignment.tolist(), strict=True)],
            bool,
        )
        told = np.array([label != UNKNOWN for label in labels], bool)
        silent = np.array([label == SILENCE for label in labels], bool)
        whole |= _finite(overall(quality, self.clusters.speech.variance))
        if self.noise is not None:
            whole["noise"] = int(self.clusters.speech.size[self.noise])
        whole["unlabelled"] = sum(label == UNKNOWN for label in truth.labels) or None
        whole["silence"] = float(silent[told].mean()) if told.any() else None
        variance, filled = self.clusters.speech.variance, np.array([q.size > 0 for q in quality], bool)
        purity = np.array([q.purity for q in quality])
        whole["variance_purity_correlation"] = rank_correlation(variance[filled], purity[filled])
        labelled = [label for label in labels if label != UNKNOWN]
        whole["nmi"] = normalised_mutual_information(labelled, self.assignment[told])
        whole |= localisation(truth)
        sure = Bootstrap(self.store.pair_count, self.config.bootstrap, self.config.seed)
        sure.mean("purity", matches[told], self.owner[told])
        sure.mean("silence", silent[told], self.owner[told])
        shown = truth.word >= 0
        if shown.any():
            sure.mean("pointing", truth.pointing[shown], self.owner[shown])
            sure.mean("iou", truth.iou[shown], self.owner[shown])
        for name, values in truth.bounded().items():
            sure.mean(name, values, self.owner[truth.bordered])
        sure.mean_ratio("coverage", *self._covered(quality, np.flatnonzero(matches)))
        whole |= self._discovered(sure)
        self._agreeing(sure, labelled, told, matches)
        speaker = np.where(told, self.speaker, -1)
        if len(np.unique(speaker[speaker >= 0])) > 1:
            whole |= speaker_scores(labels, self.assignment, speaker, quality, matches)
            self._by_speaker(sure, labels, speaker, quality, matches)
        whole |= {f"{name}_interval": interval for name, interval in sure.intervals().items()}

    def _agreeing(self, sure: Bootstrap, labelled: Sequence[str], told: np.ndarray, matches: np.ndarray) -> None:
        """Intervals of what is no ratio of sums."""
        owners, speech = self.store.pair_count, self.clusters.speech
        sure.other("nmi", mutual_information(labelled, self.assignment[told], self.owner[told], owners), inflated=True)
        shape = (owners, len(speech))
        figure = variance_and_purity(matches, told, speech.distance, self.assignment, self.owner, shape)
        sure.other("variance_purity_correlation", figure)

    def _by_speaker(
        self,
        sure: Bootstrap,
        labels: Sequence[str],
        speaker: np.ndarray,
        quality: Sequence[ClusterQuality],
        matches: np.ndarray,
    ) -> None:
        """Intervals of the scores by speaker; what the company of a segment votes for stays as it is."""
        for name, (hit, kept) in speaker_hits(labels, self.assignment, speaker).items():
            sure.mean(f"purity_{name}", hit[kept], self.owner[kept])
        for name, rows in company(self.assignment, speaker, matches).items():
            sure.mean_ratio(f"coverage_{name}", *self._covered(quality, rows))

    def _covered(self, quality: Sequence[ClusterQuality], matching: np.ndarray) -> tuple[csr_array, csr_array]:
        """(pairs, labels): those of the rows `matching`, and instances, of each label that clusters have."""
        place = {label: i for i, label in enumerate(sorted({q.label for q in quality if q.instances}))}
        shape = (self.store.pair_count, max(len(place), 1))
        of_cluster = np.array([place.get(q.label, -1) for q in quality], np.int64)
        column = of_cluster[self.assignment]
        rows = matching[column[matching] >= 0]
        many = csr_array((np.ones(len(rows)), (self.owner[rows], column[rows])), shape=shape)
        captions = (self.known.words.get(id, ()) for id in self.store.ids)
        entries = [
            (index, place[label], n)
            for index, counts in enumerate(instances_by_caption(captions, place))
            for label, n in counts.items()
        ]
        at = np.array(entries, np.int64).reshape(-1, 3)
        return many, csr_array((at[:, 2].astype(float), (at[:, 0], at[:, 1])), shape=shape)

    def _discovered(self, sure: Bootstrap) -> dict[str, Any]:
        """Scores of term discovery over the captions with word times."""
        terms, grouping = TermDiscovery(), Grouping(self.config.seed)
        segments, offsets = self.store.column("segment")[:], self.store.offsets
        frames = np.concatenate([self.store.shard(i)["frames"][:] for i in range(len(self.store.paths))])
        counts = np.zeros((self.store.pair_count, len(COUNTS)))
        for index, id in enumerate(self.store.ids):
            words = self.known.words.get(id)
            if not words or (self.known.phones and id not in self.known.phones):
                continue
            end = seconds_in(int(frames[index]))
            phones = with_silence(self.known.phones[id], end) if self.known.phones else letters(words, end)
            rows = slice(int(offsets[index]), int(offsets[index + 1]))
            cluster = self.assignment[rows]
            clustered = np.full(len(cluster), True) if self.noise is None else cluster != self.noise
            fragments = [(seconds_in(a), seconds_in(b)) for a, b in segments[rows][clustered].tolist()]
            added = terms.add(fragments, phones, words)
            grouping.add(fragments, cluster[clustered].tolist(), phones)
            counts[index] = [getattr(added, name) for name in COUNTS]
        column = dict(zip(COUNTS, counts.T, strict=True))
        sure.ratio("boundary_precision", column["boundary_hits"], column["boundaries_found"])
        sure.ratio("boundary_recall", column["boundary_hits"], column["boundaries_true"])
        sure.ratio("token_precision", column["token_hits"], column["tokens_found"])
        sure.ratio("token_recall", column["token_hits"], column["tokens_true"])
        boundaries, tokens = (column[f"{n}_found"] + column[f"{n}_true"] for n in ("boundaries", "tokens"))
        sure.ratio("boundary_f", 2 * column["boundary_hits"], boundaries)
        sure.ratio("token_f", 2 * column["token_hits"], tokens)
        sure.ratio("phone_coverage", column["phones_covered"], column["phones_true"])
        return {"phones": "known" if self.known.phones else "letters", **terms.scores(), **grouping.scores()}

    def _rows(self, quality: Sequence[ClusterQuality] | None) -> list[dict[str, Any]]:
        """One a cluster, as the run's evaluation file has it."""
        speech, image, linked = self.clusters.speech, self.clusters.image, self.clusters.image_of_speech
        heard = np.unique(np.stack([self.assignment.astype(np.int64), self.speaker]), axis=1)
        speakers = np.bincount(heard[0][heard[1] >= 0], minlength=len(speech))
        rows = []
        for c in range(len(speech)):
            row: dict[str, Any] = {
                "cluster": c,
                "size": int(speech.size[c]),
                "variance": _known(float(speech.variance[c])),
                "image_cluster": int(linked[c]),
                "image_size": int(image.size[linked[c]]),
                "affinity": float(self.clusters.affinity[linked[c], c]),
                "speakers": int(speakers[c]),
            }
            if quality is not None:
                row |= {
                    "label": NOISE if c == self.noise else quality[c].label,
                    "purity": _known(quality[c].purity),
                    "coverage": _known(quality[c].coverage),
                }
            rows.append(row)
        return rows


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {k: v if isinstance(v, int) else _known(v) for k, v in values.items()}
