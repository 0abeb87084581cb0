"""Purity and coverage within and across speakers, against the definition written out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from avterm.evaluation.labels import cluster_quality, contains
from avterm.evaluation.speakers import speaker_scores


def score(labels: list[str], assignment: list[int], speaker: list[int], k: int) -> dict[str, float | None]:
    cluster = np.array(assignment)
    quality = cluster_quality(labels, cluster, k, Counter(labels))
    matches = np.array([contains(label, quality[c].label) for label, c in zip(labels, assignment, strict=True)])
    return speaker_scores(labels, cluster, np.array(speaker), quality, matches)


def naive_purity(labels: list[str], assignment: list[int], speaker: list[int], across: bool) -> float | None:
    hits = []
    for i, label in enumerate(labels):
        others = [
            other
            for j, other in enumerate(labels)
            if j != i and assignment[j] == assignment[i] and (speaker[j] != speaker[i]) == across and speaker[j] >= 0
        ]
        if others and speaker[i] >= 0:
            votes = Counter(others)
            name = min(v for v in votes if votes[v] == max(votes.values()))
            hits.append(contains(label, name))
    return float(np.mean(hits)) if hits else None


@pytest.mark.parametrize("seed", range(8))
def test_purity_is_that_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice(["a", "b", "c", "a b"], 60).tolist()
    assignment, speaker = rng.integers(0, 5, 60).tolist(), rng.integers(-1, 4, 60).tolist()
    found = score(labels, assignment, speaker, 5)
    assert found["purity_within_speaker"] == pytest.approx(naive_purity(labels, assignment, speaker, False))
    assert found["purity_across_speakers"] == pytest.approx(naive_purity(labels, assignment, speaker, True))


def test_a_cluster_for_each_speaker_brings_nobody_together() -> None:
    found = score(["dog"] * 4, [0, 0, 1, 1], [0, 0, 1, 1], 2)
    assert found == {
        "purity_within_speaker": 1.0,
        "purity_across_speakers": None,
        "coverage_within_speaker": 1.0,
        "coverage_across_speakers": 0.0,
    }


def test_one_cluster_brings_speakers_together() -> None:
    found = score(["dog", "dog", "dog", "cat"], [0, 0, 0, 1], [0, 1, 1, 2], 2)
    assert found["coverage_across_speakers"] == pytest.approx(0.5)  # all dogs, no cat
    assert found["coverage_within_speaker"] == pytest.approx(0.5 * 2 / 3)


def test_nobody_is_known() -> None:
    assert set(score(["dog", "dog"], [0, 0], [-1, -1], 1).values()) <= {None, 0.0}
