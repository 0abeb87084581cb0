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
    hits = speaker_hits(labels, assignment, speaker)
    found = {f"purity_{name}": float(hit[kept].mean()) if kept.any() else None for name, (hit, kept) in hits.items()}
    return found | _coverages(assignment, speaker, quality, matches)


def speaker_hits(
    labels: Sequence[str], assignment: np.ndarray, speaker: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{"within_speaker", "across_speakers": bool (N,), whether a segment carries the label that its company votes for,
    and bool (N,), whether it has any company}. Arguments as of `speaker_scores`."""
    number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    coded = np.array([number[label] for label in labels], np.int64)
    key = np.stack([assignment.astype(np.int64), speaker.astype(np.int64), coded])
    cells, place = np.unique(key, axis=1, return_inverse=True)
    sizes = np.bincount(place.reshape(-1), minlength=cells.shape[1])
    names = list(number)
    counts: dict[int, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for (cluster, who, label), size in zip(cells.T.tolist(), sizes.tolist(), strict=True):
        if who >= 0:
            counts[cluster][who][names[label]] += size
    told = {cluster: _votes(speakers) for cluster, speakers in counts.items()}
    found = {}
    for at, name in enumerate(("within_speaker", "across_speakers")):
        votes = [told[c][w, names[v]][at] if w >= 0 else None for c, w, v in cells.T.tolist()]
        hit, kept = np.array([bool(v) for v in votes], bool), np.array([v is not None for v in votes], bool)
        found[name] = hit[place.reshape(-1)], kept[place.reshape(-1)]
    return found


def _votes(speakers: Mapping[int, Counter[str]]) -> dict[tuple[int, str], tuple[bool | None, bool | None]]:
    """Within a cluster, for each speaker's segments of a label: do they carry what the speaker's other segments vote
    for, and what other speakers' do; None where there are no others."""
    whole: Counter[str] = Counter()
    for own in speakers.values():
        whole.update(own)
    ranked, found = _rank(whole), {}
    for who, own in speakers.items():
        name, mine = _vote(ranked, own), _rank(own)
        for label in own:
            within = contains(label, _vote(mine, {label: 1})) if own.total() > 1 else None
            found[who, label] = within, contains(label, name) if len(speakers) > 1 else None
    return found


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


def company(assignment: np.ndarray, speaker: np.ndarray, matches: np.ndarray) -> dict[str, np.ndarray]:
    """{"within_speaker" and "across_speakers": int64 rows of the matching segments that lie in their cluster beside a
    matching one of the same speaker, of another}. Arguments as of `speaker_scores`."""
    rows = np.flatnonzero(matches & (speaker >= 0))
    cluster, who = assignment[rows].astype(np.int64), speaker[rows].astype(np.int64)
    group = cluster * (int(speaker.max(initial=0)) + 1) + who
    _, place, sizes = np.unique(group, return_inverse=True, return_counts=True)
    same = sizes[place]
    beside = np.bincount(cluster, minlength=1)[cluster] > same
    return {"within_speaker": rows[same > 1], "across_speakers": rows[beside]}


def _coverages(
    assignment: np.ndarray, speaker: np.ndarray, quality: Sequence[ClusterQuality], matches: np.ndarray
) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, rows in company(assignment, speaker, matches).items():
        by_cluster = np.bincount(assignment[rows], minlength=len(quality))
        by_label: dict[str, int] = defaultdict(int)
        for q, count in zip(quality, by_cluster.tolist(), strict=True):
            if q.instances and q.label != SILENCE:
                by_label[q.label] += count
        instances = {q.label: q.instances for q in quality}
        shares = [count / instances[label] for label, count in by_label.items()]
        found[f"coverage_{name}"] = float(np.mean(shares)) if shares else None
    return found
