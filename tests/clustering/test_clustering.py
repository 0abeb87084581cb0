"""k-means against scikit-learn, affinity against the double loop, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as Reference
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.clustering import kmeans as module
from avterm.clustering.affinity import affinity
from avterm.clustering.choice import choose_k
from avterm.clustering.kmeans import kmeans
from avterm.errors import BadInput, StoreError
from avterm.store.run import Run
from tests.synthetic import make_run


def blobs(count: int, k: int, depth: int = 8, spread: float = 0.3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, depth)) * 3
    return (centres[rng.integers(0, k, count)] + rng.normal(0, spread, (count, depth))).astype(np.float32)


@pytest.mark.parametrize("in_memory", [True, False])
def test_same_as_scikit_learn_from_the_same_start(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = blobs(3000, 12, spread=1.5)
    start = rows[:12].copy()
    monkeypatch.setattr(module, "BLOCK", 517)
    if not in_memory:
        monkeypatch.setattr(module, "IN_MEMORY", 0)
    ours = kmeans(rows, 12, iterations=200, tolerance=0.0, start=start)
    theirs = Reference(12, init=start, n_init=1, max_iter=200, tol=0, algorithm="lloyd").fit(rows)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-4)
    assert (ours.assignment == theirs.labels_).mean() > 0.999


def test_the_number_of_threads_changes_nothing() -> None:
    rows, before = blobs(4000, 20, depth=33, spread=2), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(kmeans(rows, 20, seed=3))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0].centroid, results[1].centroid)
    np.testing.assert_array_equal(results[0].assignment, results[1].assignment)


def test_empty_clusters_take_the_farthest_rows() -> None:
    rows = np.concatenate([np.zeros((50, 2)), np.ones((50, 2)) * 10, [[100, 100]]]).astype(np.float32)
    start = np.array([[0, 0], [10, 10], [-900, -900]], np.float32)  # the third attracts nothing
    found = kmeans(rows, 3, start=start)
    assert sorted(np.bincount(found.assignment)) == [1, 50, 50]
    assert found.inertia == pytest.approx(0, abs=1e-6)


def test_identical_rows_and_impossible_sizes() -> None:
    rows = np.ones((7, 3), np.float32)
    found = kmeans(rows, 3)
    assert found.inertia == 0
    with pytest.raises(BadInput, match="between 1 and 7"):
        kmeans(rows, 8)
    rows[2, 1] = np.nan
    with pytest.raises(BadInput, match="not finite"):
        kmeans(rows, 2)


def test_spherical_ignores_length() -> None:
    rows = blobs(400, 4, seed=2)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scaled = rows * np.random.default_rng(0).uniform(0.1, 9, (400, 1)).astype(np.float32)
    one, two = kmeans(rows, 4, spherical=True), kmeans(scaled, 4, spherical=True)
    np.testing.assert_array_equal(one.assignment, two.assignment)
    np.testing.assert_allclose(np.linalg.norm(one.centroid, axis=1), 1, atol=1e-5)


def test_k_is_found_again_without_labels() -> None:
    assert choose_k(blobs(3000, 15, depth=32)) in (10, 15, 20)  # a split blob may be found again by chance


def test_affinity_is_the_double_loop() -> None:
    rng = np.random.default_rng(0)
    image, speech = (rng.normal(size=(60, 5)).astype(np.float16) for _ in range(2))
    a, b = rng.integers(0, 4, 60), rng.integers(0, 6, 60)
    expected = np.zeros((4, 6))
    for i in range(4):
        for j in range(6):
            for n in range(60):
                if a[n] == i and b[n] == j:
                    expected[i, j] += image[n].astype(np.float64) @ speech[n].astype(np.float64)
    np.testing.assert_allclose(affinity(image, speech, a, b, 4, 6), expected, rtol=1e-5, atol=1e-5)


def test_command(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    runner, path = CliRunner(), str(run.path)
    result = runner.invoke(app, ["cluster", path, "-k", "6"])
    assert isinstance(result.exception, StoreError)  # clustered by other settings
    result = runner.invoke(app, ["cluster", path, "-k", "6", "--redo", "--json"])
    assert result.exit_code == 0
    assert result.stdout.count('"cluster"') == 6
    clusters = Run.open(run.path).clusters(6)
    sizes = [len(clusters.speech.members(c)) for c in range(6)]
    assert sizes == clusters.speech.size.tolist()
    assert sum(sizes) == len(run.groundings)
    for c in range(6):
        gaps = clusters.speech.distance[clusters.speech.members(c)]
        assert (np.diff(gaps) >= 0).all()
        assert clusters.speech.variance[c] == pytest.approx(gaps.mean())
    before = clusters.path.read_bytes()
    assert "already there" in runner.invoke(app, ["cluster", path, "-k", "6"]).stdout
    runner.invoke(app, ["cluster", path, "-k", "6", "--redo"])
    assert clusters.path.read_bytes() == before
    assert runner.invoke(app, ["cluster", path]).exit_code == 2
    assert isinstance(runner.invoke(app, ["cluster", path, "-k", "many"]).exception, Exception)
