"""Whether clusters hold one speaker's words together, and whether they bring different speakers' together.

Purity within a speaker asks, of every segment that shares its cluster with others of the same speaker, whether it
carries the label that those others vote for; across speakers, the label that the cluster's other speakers vote for.
Coverage is the share of a label's instances that lie in a cluster of this label beside another one by the same
speaker, or by another; the mean over labels. No segment votes for itself, so that small groups are not favoured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from avterm.evaluation.labels import SILENCE, ClusterQuality, contains

Ranked = list[tuple[str, int]]


def speaker_scores(
    labels: Sequence[str],
    assignment: np.ndarray,
    speaker: np.ndarray,
    quality: Sequence[ClusterQuality],
    matches: np.ndarray,
) -> dict[str, float | None]:
    """Purity and coverage within and across speakers; None where no segment has such company.

    labels, assignment int (N,), speaker int (N,) with -1 for unknown, matches bool (N,): one a grounding.
    """
    return _purities(labels, assignment, speaker) | _coverages(assignment, speaker, quality, matches)


def _purities(labels: Sequence[str], assignment: np.ndarray, speaker: np.ndarray) -> dict[str, float | None]:
    counts: dict[int, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for label, cluster, who in zip(labels, assignment.tolist(), speaker.tolist(), strict=True):
        if who >= 0:
            counts[cluster][who][label] += 1
    hits, totals = {"within": 0, "across": 0}, {"within": 0, "across": 0}
    for speakers in counts.values():
        whole: Counter[str] = Counter()
        for own in speakers.values():
            whole.update(own)
        ranked = _rank(whole)
        for own in speakers.values():
            size = own.total()
            if len(speakers) > 1:
                name = _vote(ranked, own)
                hits["across"] += sum(n for label, n in own.items() if contains(label, name))
                totals["across"] += size
            if size > 1:
                mine = _rank(own)
                hits["within"] += sum(n for label, n in own.items() if contains(label, _vote(mine, {label: 1})))
                totals["within"] += size
    return {
        "purity_within_speaker": hits["within"] / totals["within"] if totals["within"] else None,
        "purity_across_speakers": hits["across"] / totals["across"] if totals["across"] else None,
    }


def _rank(counts: Counter[str]) -> Ranked:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _vote(ranked: Ranked, without: Mapping[str, int]) -> str:
    """The label with the most votes once `without` are taken away; ties: the first in the alphabet.

    Counts only fall, so the walk ends at the first count below the best found.
    """
    best, most = "", 0
    for label, count in ranked:
        if count < most:
            break
        left = count - without.get(label, 0)
        if left > most or (left == most and left and label < best):
            best, most = label, left
    return best


def _coverages(
    assignment: np.ndarray, speaker: np.ndarray, quality: Sequence[ClusterQuality], matches: np.ndarray
) -> dict[str, float | None]:
    rows = np.flatnonzero(matches & (speaker >= 0))
    cluster, who = assignment[rows].astype(np.int64), speaker[rows].astype(np.int64)
    group = cluster * (int(speaker.max(initial=0)) + 1) + who
    _, place, sizes = np.unique(group, return_inverse=True, return_counts=True)
    same = sizes[place]
    company = {"within_speaker": same > 1, "across_speakers": np.bincount(cluster, minlength=1)[cluster] > same}
    found: dict[str, float | None] = {}
    for name, kept in company.items():
        by_cluster = np.bincount(cluster[kept], minlength=len(quality))
        by_label: dict[str, int] = defaultdict(int)
        for q, count in zip(quality, by_cluster.tolist(), strict=True):
            if q.instances and q.label != SILENCE:
                by_label[q.label] += count
        instances = {q.label: q.instances for q in quality}
        shares = [count / instances[label] for label, count in by_label.items()]
        found[f"coverage_{name}"] = float(np.mean(shares)) if shares else None
    return found
