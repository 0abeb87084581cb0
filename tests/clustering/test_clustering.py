"""k-means against scikit-learn, affinity against the double loop, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from avterm_kernels import lloyd as lloyd_kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans as Reference
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.clustering import source
from avterm.clustering import start as start_module
from avterm.clustering.affinity import affinity
from avterm.clustering.choice import choose_k
from avterm.clustering.kmeans import kmeans
from avterm.clustering.lloyd import Lloyd
from avterm.clustering.source import Source
from avterm.clustering.start import plus_plus
from avterm.engine import ahead
from avterm.errors import BadInput, StoreError
from avterm.store.run import Run
from avterm.store.shards import Header, Shard, write_shard
from avterm.store.stacked import Stacked
from tests.synthetic import make_run


def blobs(count: int, k: int, depth: int = 8, spread: float = 0.3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, depth)) * 3
    return (centres[rng.integers(0, k, count)] + rng.normal(0, spread, (count, depth))).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_same_as_scikit_learn_from_the_same_start(dtype: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (blobs(3000, 12, spread=1.5) + 40).astype(dtype)  # far from the origin, where |x|² - 2xc + |c|² would cancel
    start = rows[:12].astype(np.float32)
    monkeypatch.setattr(source, "BLOCK", 517)
    monkeypatch.setattr(source, "IN_MEMORY", 0)
    theirs = Reference(12, init=start, n_init=1, max_iter=300, tol=0, algorithm="lloyd").fit(rows.astype(np.float32))
    parts = {"a": rows[:1100], "b": rows[1100:1100], "c": rows[1100:]}
    write_shard(tmp_path / "rows.h5", Header("rows", len(rows), "f", {}), parts)
    shard = Shard(tmp_path / "rows.h5", "rows")
    for kind in (rows, Stacked([shard[name] for name in parts])):
        ours = kmeans(kind, 12, iterations=300, tolerance=0.0, start=start)
        assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-4)
        assert (ours.assignment == theirs.labels_).mean() > 0.999
        gaps = ((rows.astype(np.float64) - ours.centroid[ours.assignment]) ** 2).sum(1)
        np.testing.assert_allclose(ours.distance, gaps, rtol=1e-4, atol=1e-4)


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = blobs(4000, 20, depth=33, spread=2).astype(np.float16)
    monkeypatch.setattr(source, "BLOCK", 300)
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(ahead, "workers_here", lambda threads=threads: threads)
        results.append(kmeans(rows, 20, seed=3))
    np.testing.assert_array_equal(results[0].centroid, results[1].centroid)
    np.testing.assert_array_equal(results[0].assignment, results[1].assignment)
    np.testing.assert_array_equal(results[0].distance, results[1].distance)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 200), st.integers(1, 9), st.integers(1, 6), st.integers(0, 99), st.sampled_from([0.0, 1.0, 300.0])
)
def test_every_step_is_a_plain_step(count: int, k: int, depth: int, seed: int, away: float) -> None:
    """Bounds may only save work: after any number of steps each row is with a centroid that none beats."""
    rng = np.random.default_rng(seed)
    rows = (rng.integers(-3, 4, (count, depth)) + away).astype(np.float32)  # many equal rows and tied centroids
    walker = Lloyd(Source(rows), rng.normal(size=(k, depth)) + away)
    for _ in range(6):
        inertia, _ = walker.step()
        gaps = ((rows[:, None].astype(np.float64) - walker.centroids[None]) ** 2).sum(2)
        np.testing.assert_allclose(gaps[np.arange(count), walker.label], gaps.min(1), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(walker.gap, gaps.min(1), rtol=1e-3, atol=1e-3)
        assert inertia == pytest.approx(walker.gap.sum(dtype=np.float64))
        np.testing.assert_array_equal(walker.sizes, np.bincount(walker.label, minlength=k))
        sums = np.zeros((k, depth))
        np.add.at(sums, walker.label, rows)
        np.testing.assert_allclose(walker.sums, sums, atol=1e-6)
        moved = walker.centroids.copy()
        some = rng.random(k) < 0.4  # a few move far, the others hardly
        moved[some] += rng.normal(0, 1, (some.sum(), depth)).astype(np.float32)
        walker.follow(moved + rng.normal(0, 1e-3, moved.shape).astype(np.float32))


def test_bounds_save_most_of_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = blobs(4000, 30, depth=16, spread=1.0)
    seen: list[int] = []
    nearest = lloyd_kernels.nearest
    monkeypatch.setattr(
        lloyd_kernels, "nearest", lambda products, *rest: (seen.append(len(products)), nearest(products, *rest))[1]
    )
    found = kmeans(rows, 30, iterations=40, tolerance=0.0, start=rows[:30])
    assert sum(seen) < 0.5 * len(rows) * (found.iterations + 1)


def test_a_start_on_a_sample_is_as_good_as_steps_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = blobs(6000, 40, depth=12, spread=1.5)
    whole = kmeans(rows, 20, 100, tolerance=1e-6, seed=1)
    monkeypatch.setattr(start_module, "SMALLEST", 1500)
    monkeypatch.setattr(start_module, "SAMPLE", 64)
    sampled = kmeans(rows, 20, 100, tolerance=1e-6, seed=1)
    assert sampled.inertia < whole.inertia * 1.03


def test_rows_are_picked_in_the_order_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 7)
    rows = np.arange(60, dtype=np.float16).reshape(20, 3)
    chosen = np.array([19, 0, 7, 6, 13, 7])
    np.testing.assert_array_equal(Source(rows).pick(chosen), rows[chosen])
    np.testing.assert_allclose(np.linalg.norm(Source(rows + 1, unit=True).pick(chosen), axis=1), 1, rtol=1e-5)


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


def plainly_trimmed(rows: np.ndarray, k: int, start: np.ndarray, trimmed: int) -> tuple[np.ndarray, np.ndarray]:
    """Trimmed k-means as it is defined, step by step: (k, D) centroids, and which rows are left out."""
    centroids = start.astype(np.float64)
    for part in (0, trimmed // 3, 2 * trimmed // 3, trimmed):
        for _ in range(50):
            gaps = ((rows[:, None] - centroids[None]) ** 2).sum(-1)
            near, own = gaps.argmin(1), gaps.min(1)
            kept = np.argsort(own, kind="stable")[: len(rows) - part]
            centroids = np.stack([rows[kept[near[kept] == c]].mean(0) for c in range(k)])
    own = ((rows[:, None] - centroids[None]) ** 2).sum(-1).min(1)
    return centroids, np.sort(np.argsort(-own, kind="stable")[:trimmed])


def test_noise_is_what_trimmed_k_means_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 37)
    rng = np.random.default_rng(4)
    rows = np.concatenate([blobs(300, 5), rng.uniform(-9, 9, (90, 8))])[rng.permutation(390)].astype(np.float32)
    start = (np.random.default_rng(0).normal(size=(5, 8)) * 3 + 0.5).astype(np.float32)  # near the blobs' centres
    found = kmeans(rows, 6, start=start, noise=90 / 390, tolerance=0)
    centroids, out = plainly_trimmed(rows.astype(np.float64), 5, start, 90)
    np.testing.assert_allclose(found.centroid[:5], centroids, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(np.flatnonzero(found.assignment == 5), out)
    np.testing.assert_allclose(found.centroid[5], rows[out].mean(0), rtol=1e-4, atol=1e-4)
    gaps = ((rows - found.centroid[found.assignment]) ** 2).sum(1)
    np.testing.assert_allclose(found.distance, gaps, rtol=1e-3, atol=1e-3)
    assert found.inertia == pytest.approx(float(gaps[found.assignment < 5].sum()), rel=1e-4)


def test_noise_hides_no_blob_among_strays() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([blobs(600, 10, depth=16), rng.uniform(-12, 12, (400, 16))]).astype(np.float32)
    found = kmeans(rows, 11, noise=0.4)
    assert np.bincount(found.assignment, minlength=11)[10] == 400
    assert (found.assignment[600:] == 10).mean() > 0.95
    unit = kmeans(rows, 11, noise=0.4, spherical=True)
    np.testing.assert_allclose(np.linalg.norm(unit.centroid, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("k", "noise"), [(1, 0.5), (7, 0.5)])
def test_noise_leaves_a_row_for_every_cluster(k: int, noise: float) -> None:
    with pytest.raises(BadInput, match="beside the noise"):
        kmeans(np.eye(8, dtype=np.float32), k, noise=noise)


def test_k_is_found_again_without_labels() -> None:
    assert choose_k(blobs(3000, 15, depth=32)) in (10, 15, 20)  # a split blob may be found again by chance


def test_k_is_found_again_among_strays_where_they_are_noise() -> None:
    rng = np.random.default_rng(0)
    near = blobs(1500, 15, depth=32)
    rows = np.concatenate([near, rng.uniform(-0.5, 0.5, near.shape) * np.abs(near).max()]).astype(np.float32)
    assert choose_k(rows) == 2  # nothing
    assert choose_k(rows, noise=0.5) in (9, 11, 16, 21)  # the noise's among them


def test_k_of_directions_is_found_again_however_long_the_rows_are() -> None:
    rng = np.random.default_rng(0)
    directions = np.repeat(np.linalg.qr(rng.normal(size=(32, 32)))[0][:15], 200, axis=0)
    rows = directions + rng.normal(0, 0.05, directions.shape)
    rows *= np.exp(rng.normal(0, 2, (len(rows), 1)))
    assert choose_k(rows.astype(np.float32), spherical=True) in (10, 15, 20)
    assert choose_k(rows.astype(np.float32)) not in (10, 15, 20)


@pytest.mark.parametrize("types", [(np.float16, np.float16), (np.float32, np.float32), (np.float16, np.float32)])
def test_affinity_is_the_double_loop(types: tuple[type, type], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 17)
    monkeypatch.setattr("avterm.clustering.affinity.STRIP", 7)
    rng = np.random.default_rng(0)
    image, speech = (rng.normal(size=(60, 5)).astype(dtype) for dtype in types)
    a, b = rng.integers(0, 4, 60), rng.integers(0, 6, 60)
    expected = np.zeros((4, 6))
    for i in range(4):
        for j in range(6):
            for n in range(60):
                if a[n] == i and b[n] == j:
                    expected[i, j] += image[n].astype(np.float64) @ speech[n].astype(np.float64)
    np.testing.assert_allclose(affinity(image, speech, a, b, 4, 6), expected, rtol=1e-5, atol=1e-5)


def test_affinity_refuses_sides_that_do_not_agree() -> None:
    rows, labels = np.ones((5, 3), np.float16), np.zeros(5, np.int32)
    with pytest.raises(BadInput, match="as many crops as segments"):
        affinity(rows, rows[:4], labels, labels, 1, 1)


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


def test_a_start_spreads_out_and_beats_chance() -> None:
    rows = blobs(2000, 25, spread=0.05, seed=3) + 500
    random = np.random.default_rng(0)
    spread, chance = (
        np.sqrt(((rows[:, None] - rows[chosen][None]) ** 2).sum(2).min(1)).mean()
        for chosen in (plus_plus(rows, 25, random), random.choice(2000, 25, replace=False))
    )
    assert spread < 0.4 < chance  # every blob has a centroid, or some have none
    assert set(plus_plus(np.ones((5, 3), np.float32), 4, random)) <= set(range(5))
    assert sorted(plus_plus(np.eye(6, dtype=np.float32), 6, random)) == list(range(6))
