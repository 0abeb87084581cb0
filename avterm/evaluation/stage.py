"""`avterm evaluate`: how good the clusters of a run are, against word times and true boxes (section 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from avterm.config import fingerprint
from avterm.corpus.boxes import TrueBox
from avterm.corpus.words import Word
from avterm.evaluation.bootstrap import interval
from avterm.evaluation.labels import (
    SILENCE,
    ClusterQuality,
    cluster_quality,
    contains,
    count_instances,
    overall,
    segment_label,
)
from avterm.evaluation.localisation import Located, locate
from avterm.progress import Progress
from avterm.store.clusters import Clusters
from avterm.store.evaluation import write_evaluation, write_labels
from avterm.store.run import Run
from avterm.units import seconds_in

Words = Mapping[str, Sequence[Word]]
Boxes = Mapping[str, Sequence[TrueBox]]


def evaluate(run: Run, ks: Sequence[int], words: Words, boxes: Boxes, progress: Progress) -> dict[int, dict[str, Any]]:
    """Evaluate the clusters of each k; writes evaluation/kNNNNN.json and labels.h5, and returns what it wrote.

    Each value has "overall" (a row of Table 4, share of silence, localisation, rank correlation of variance and
    purity, intervals), "pruned" (Table 4's rows by variance), and "clusters". Without any word times there are no
    labels, and clusters are told apart by their variance alone.
    """
    store = run.groundings
    labels, located = _label(run, words, boxes, progress)
    key = fingerprint("labels", store.fingerprint, run.config.evaluation.word_share, len(words), len(boxes))
    if words:
        write_labels(run, labels, key)
    results = {}
    for k in ks:
        clusters = run.clusters(k)
        results[k] = _describe(run, clusters, labels if words else None, located, words)
        write_evaluation(run, k, results[k])
    last = results[ks[-1]]["overall"]
    run.finish("evaluate", key, {"k": ks[-1], **last})
    return results


def _label(run: Run, words: Words, boxes: Boxes, progress: Progress) -> tuple[list[str], list[Located]]:
    """The label of every grounding, and where it lies."""
    share, store = run.config.evaluation.word_share, run.groundings
    labels: list[str] = []
    located: list[Located] = []
    with progress.step("label", store.pair_count) as step:
        for index in range(store.pair_count):
            pair = store.pair(index)
            spoken, shown = words.get(pair.id, ()), boxes.get(pair.id, ())
            for box, (start, end) in zip(pair.pixels(), pair.segment.tolist(), strict=True):
                times = (seconds_in(start), seconds_in(end))
                labels.append(segment_label(spoken, *times, share))
                located.append(locate(box, times, labels[-1], shown, spoken))
            step.advance()
    return labels, located


def _describe(
    run: Run, clusters: Clusters, labels: list[str] | None, located: Sequence[Located], words: Words
) -> dict[str, Any]:
    speech = clusters.speech
    store, config = run.groundings, run.config.evaluation
    quality: list[ClusterQuality] | None = None
    if labels is not None:
        first = cluster_quality(labels, speech.assignment, len(speech), {})
        captions = [words[id] for id in store.ids if id in words]
        quality = cluster_quality(
            labels, speech.assignment, len(speech), count_instances(captions, {q.label for q in first})
        )
    rows = [_row(run, clusters, c, quality[c] if quality else None) for c in range(len(speech))]
    whole: dict[str, Any] = {"k": len(speech), "pairs": store.pair_count, "groundings": len(store)}
    value: dict[str, Any] = {"overall": whole, "clusters": rows, "pruned": []}
    if quality is None or labels is None:
        return value
    limits = [float("inf"), *config.prune]
    value["pruned"] = [
        {"k": len(speech), "variance_below": None if np.isinf(v) else v, **overall(quality, speech.variance, v)}
        for v in limits
    ]
    whole |= overall(quality, speech.variance)
    whole["silence"] = labels.count(SILENCE) / max(len(labels), 1)
    whole["variance_purity_correlation"] = _correlation(speech.variance, quality)
    whole |= _located(located)
    matches = np.array(
        [contains(label, quality[c].label) for label, c in zip(labels, speech.assignment.tolist(), strict=True)], float
    )
    owner = store.pair_of(np.arange(len(store)))
    whole["purity_interval"] = interval(matches, owner, config.bootstrap, config.seed)
    shown = np.array([p.word is not None for p in located])
    if shown.any():
        pointing = np.array([p.pointing for p in located], float)
        whole["pointing_interval"] = interval(pointing[shown], owner[shown], config.bootstrap, config.seed)
    whole |= _by_speaker(run, matches, speech.assignment, owner)
    return value


def _row(run: Run, clusters: Clusters, c: int, quality: ClusterQuality | None) -> dict[str, Any]:
    linked = int(clusters.image_of_speech[c])
    members = clusters.speech.members(c)
    store, corpus = run.groundings, run.corpus
    speakers = {corpus[store.ids[i]].speaker for i in np.unique(store.pair_of(members)) if store.ids[i] in corpus.index}
    variance = float(clusters.speech.variance[c])
    row: dict[str, Any] = {
        "cluster": c,
        "size": int(clusters.speech.size[c]),
        "variance": None if np.isnan(variance) else variance,
        "image_cluster": linked,
        "image_size": int(clusters.image.size[linked]),
        "affinity": float(clusters.affinity[linked, c]),
        "speakers": len(speakers - {None}),
    }
    if quality is not None:
        row |= {
            "label": quality.label,
            "purity": None if np.isnan(quality.purity) else quality.purity,
            "coverage": None if np.isnan(quality.coverage) else quality.coverage,
        }
    return row


def _located(located: Sequence[Located]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    shown = [p for p in located if p.word is not None]
    if shown:
        words: dict[str, list[Located]] = defaultdict(list)
        for place in shown:
            words[str(place.word)].append(place)
        found["pointing"] = float(np.mean([p.pointing for p in shown]))
        found["iou"] = float(np.mean([p.iou for p in shown]))
        found["located"] = len(shown)
        found["by_word"] = {
            w: {
                "count": len(ps),
                "pointing": float(np.mean([p.pointing for p in ps])),
                "iou": float(np.mean([p.iou for p in ps])),
            }
            for w, ps in sorted(words.items())
        }
    bounded = [p.boundaries for p in located if p.boundaries is not None]
    if bounded:
        found["boundaries"] = float(np.mean(bounded))
    return found


def _correlation(variance: np.ndarray, quality: Sequence[ClusterQuality]) -> float | None:
    """Spearman's, of variance with purity: the paper's predictor of quality needs no transcript."""
    kept = [(v, q.purity) for v, q in zip(variance.tolist(), quality, strict=True) if q.size]
    if len({v for v, _ in kept}) < 2 or len({p for _, p in kept}) < 2:
        return None
    return float(spearmanr([v for v, _ in kept], [p for _, p in kept]).statistic)


def _by_speaker(run: Run, matches: np.ndarray, assignment: np.ndarray, owner: np.ndarray) -> dict[str, Any]:
    """Purity of the members whose cluster is mostly their own speaker's, and of those that joined from others."""
    store, corpus = run.groundings, run.corpus
    names = [corpus[id].speaker if id in corpus.index else None for id in store.ids]
    known = sorted({n for n in names if n})
    if len(known) < 2:
        return {}
    number = {n: i for i, n in enumerate(known)}
    speaker = np.array([number.get(n or "", -1) for n in names])[owner]
    table = np.zeros((int(assignment.max(initial=0)) + 1, len(known)))
    np.add.at(table, (assignment[speaker >= 0], speaker[speaker >= 0]), 1)
    main = table.argmax(1)[assignment] == speaker
    within, across = matches[main & (speaker >= 0)], matches[~main & (speaker >= 0)]
    return {
        "purity_within_speaker": float(within.mean()) if len(within) else None,
        "purity_across_speakers": float(across.mean()) if len(across) else None,
    }
