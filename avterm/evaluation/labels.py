"""What segments and clusters are called, and how well they hold together (section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avterm.corpus.words import Word

SILENCE = "(silence)"
UNKNOWN = "(unknown)"  # of a segment whose caption has no word times: it neither votes nor counts


def segment_label(words: Sequence[Word], start: float, end: float, share: float = 0.3) -> str:
    """All words of which at least `share` of the duration lies in [start, end) seconds, in order; none: "(silence)"."""
    inside = [w.word for w in words if _within(w, start, end) >= share]
    return " ".join(inside) if inside else SILENCE


def _within(word: Word, start: float, end: float) -> float:
    lasts = word.end - word.start
    if lasts <= 0:
        return 1.0 if start <= word.start < end else 0.0
    return (min(word.end, end) - max(word.start, start)) / lasts + 1e-9


@dataclass(frozen=True)
class ClusterQuality:
    """A cluster's label and how many of its members carry it."""

    label: str
    size: int  # members whose caption has word times
    matching: int
    instances: int  # of the label in the whole data

    @property
    def purity(self) -> float:
        """Matching share of the members; NaN where there are none."""
        return self.matching / self.size if self.size else float("nan")

    @property
    def coverage(self) -> float:
        """Matching members ÷ all instances of the label; NaN where it never occurs."""
        return self.matching / self.instances if self.instances else float("nan")


def contains(label: str, name: str) -> bool:
    """Whether `name` appears in `label` as whole words."""
    return f" {name} " in f" {label} "


def cluster_quality(
    labels: Sequence[str], assignment: np.ndarray, k: int, instances: Mapping[str, int]
) -> list[ClusterQuality]:
    """For each of k clusters: the label by majority vote over its members' label strings (ties: the first in the
    alphabet), and its matching members: those whose own label holds it as whole words. Sizes are of labelled members.

    labels: one a grounding; assignment: int (N,); instances: how often each label occurs in the whole data.
    """
    counts: list[Counter[str]] = [Counter() for _ in range(k)]
    for label, cluster in zip(labels, assignment.tolist(), strict=True):
        if label != UNKNOWN:
            counts[cluster][label] += 1
    found = []
    for count in counts:
        if not count:
            found.append(ClusterQuality("", 0, 0, 0))
            continue
        top = max(count.values())
        name = min(label for label, n in count.items() if n == top)
        matching = sum(n for label, n in count.items() if contains(label, name))
        found.append(ClusterQuality(name, sum(count.values()), matching, instances.get(name, 0)))
    return found


def count_instances(captions: Iterable[Sequence[Word]], names: Iterable[str]) -> dict[str, int]:
    """How often each label occurs in the captions: a label of several words counts where they follow one another."""
    total: Counter[str] = Counter()
    for counts in instances_by_caption(captions, names):
        total.update(counts)
    return dict(total)


def instances_by_caption(captions: Iterable[Sequence[Word]], names: Iterable[str]) -> Iterator[Counter[str]]:
    """As `count_instances`, one count a caption."""
    wanted = {name for name in names if name and name != SILENCE}
    lengths = sorted({name.count(" ") + 1 for name in wanted})
    for caption in captions:
        spoken = [w.word for w in caption]
        phrases = (
            " ".join(spoken[start : start + length]) for length in lengths for start in range(len(spoken) - length + 1)
        )
        yield Counter(phrase for phrase in phrases if phrase in wanted)


def overall(clusters: Sequence[ClusterQuality], variance: np.ndarray, limit: float = float("inf")) -> dict[str, float]:
    """A row of Table 4: over the clusters whose variance is below `limit`.

    Purity is weighted by size; coverage is averaged over distinct labels, the clusters of one label taken together.
    Clusters labelled "(silence)" count among clusters, points and in purity, but are no label and cover nothing: the
    paper lists such clusters among its own, without a coverage, and does not say more.
    """
    chosen = [c for c, v in zip(clusters, variance, strict=True) if c.size and v < limit]
    points = sum(c.size for c in chosen)
    by_label: dict[str, list[ClusterQuality]] = {}
    for cluster in chosen:
        if cluster.label != SILENCE:
            by_label.setdefault(cluster.label, []).append(cluster)
    covered = [sum(c.matching for c in group) / group[0].instances for group in by_label.values() if group[0].instances]
    return {
        "clusters": len(chosen),
        "points": points,
        "purity": sum(c.matching for c in chosen) / points if points else float("nan"),
        "labels": len(by_label),
        "coverage": float(np.mean(covered)) if covered else float("nan"),
    }
