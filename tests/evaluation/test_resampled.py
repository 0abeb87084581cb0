"""Figures of weights, against the plain figures of rows repeated as often as the weights say."""

from __future__ import annotations

import numpy as np
import pytest

from avterm.evaluation.agreement import normalised_mutual_information, rank_correlation
from avterm.evaluation.labels import cluster_quality, contains
from avterm.evaluation.resampled import mutual_information, variance_and_purity
from avterm.evaluation.speakers import company, speaker_hits, speaker_scores


@pytest.fixture(params=range(4))
def case(request: pytest.FixtureRequest) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Labels, clusters, owners of 80 segments of 12 pairs, and how often each pair is drawn."""
    rng = np.random.default_rng(request.param)
    weights = np.bincount(rng.integers(0, 12, 12), minlength=12).astype(float)
    return rng.choice(["a", "b", "a b"], 80).tolist(), rng.integers(0, 5, 80), rng.integers(0, 12, 80), weights


def test_mutual_information(case: tuple[list[str], np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, assignment, owner, weights = case
    figure = mutual_information(labels, assignment, owner, 12)
    assert figure(np.ones(12)) == pytest.approx(normalised_mutual_information(labels, assignment))
    rows = np.repeat(np.arange(80), weights[owner].astype(int))
    again = normalised_mutual_information([labels[i] for i in rows], assignment[rows])
    assert figure(weights) == pytest.approx(again)
    assert figure(np.zeros(12)) is None
    assert mutual_information(["a", "a"], np.array([0, 0]), np.array([0, 1]), 2)(np.ones(2)) == 1.0


def test_variance_and_purity(case: tuple[list[str], np.ndarray, np.ndarray, np.ndarray]) -> None:
    _, assignment, owner, weights = case
    rng = np.random.default_rng(0)
    distance, told = rng.random(80).astype(np.float32), rng.random(80) < 0.8
    matches = rng.random(80) < 0.5
    figure = variance_and_purity(matches, told, distance, assignment, owner, (12, 5))
    rows = np.repeat(np.arange(80), weights[owner].astype(int))
    variance, purity = [], []
    for c in range(5):
        mine = rows[assignment[rows] == c]
        if told[mine].any():
            variance.append(distance[mine].astype(float).mean())
            purity.append(matches[mine][told[mine]].mean())
    assert figure(weights) == pytest.approx(rank_correlation(np.array(variance), np.array(purity)))


def test_scores_by_speaker_are_means_of_what_is_resampled(
    case: tuple[list[str], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, assignment, _, _ = case
    speaker = np.random.default_rng(1).integers(-1, 3, 80)
    quality = cluster_quality(labels, assignment, 5, {"a": 60, "b": 50, "a b": 30})
    matches = np.array([contains(v, quality[c].label) for v, c in zip(labels, assignment, strict=True)])
    scores = speaker_scores(labels, assignment, speaker, quality, matches)
    for name, (hit, kept) in speaker_hits(labels, assignment, speaker).items():
        assert scores[f"purity_{name}"] == pytest.approx(hit[kept].mean())
        assert not kept[speaker < 0].any()
    for name, rows in company(assignment, speaker, matches).items():
        for row in range(80):
            others = [
                j for j in range(80)
                if j != row and matches[j] and assignment[j] == assignment[row] and speaker[j] >= 0
                and (speaker[j] == speaker[row]) == (name == "within_speaker")
            ]  # fmt: skip
            assert (row in rows.tolist()) == bool(others and matches[row] and speaker[row] >= 0)
