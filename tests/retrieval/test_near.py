"""Nearest clusters and segments, against all distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avterm.retrieval.lexicon import squared_distances
from avterm.retrieval.near import NearClusters, near_segments
from avterm.store.curation import curation_path, make_edit
from avterm.store.journal import Journal
from avterm.store.run import Run
from tests.synthetic import make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, media=False)


def test_a_stored_segment_is_nearest_to_its_own_cluster(run: Run) -> None:
    clusters = run.clusters()
    near, rows = NearClusters(run, clusters), np.array([0, 17, 33])
    for modality in ("speech", "image"):
        vectors = run.groundings.embeddings(modality)[rows].astype(np.float32)
        side = getattr(clusters, modality)
        for vector, row in zip(vectors, rows, strict=True):
            found = near.nearest(modality, modality, vector[None], {"start": np.array([0.5])}, 6)
            assert found[0].about["cluster"] == side.assignment[row]
            assert found[0].score == pytest.approx(-side.distance[row], rel=1e-3)
            assert found[0].about["in_query"] == {"start": 0.5}
            assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)


def test_across_modalities_the_inner_product_counts_and_the_best_part_is_told(run: Run) -> None:
    clusters, near = run.clusters(), NearClusters(run, run.clusters())
    vectors = np.random.default_rng(0).normal(size=(4, 16)).astype(np.float32)
    products = vectors @ clusters.speech.centroid.T
    found = near.nearest("speech", "image", vectors, {"box": np.arange(16).reshape(4, 4)}, 9)
    assert [f.about["cluster"] for f in found] == np.argsort(-products.max(0), kind="stable").tolist()
    for f in found:
        part = int(products[:, f.about["cluster"]].argmax())
        assert f.about["in_query"]["box"] == list(range(4 * part, 4 * part + 4))


def test_clusters_are_called_as_people_call_them(run: Run) -> None:
    clusters = run.clusters()
    journal = Journal(curation_path(run))
    spoken = int(clusters.speech_of_image[0])
    journal.append([make_edit(run, clusters, "speech", "name", spoken, value="castle")])
    near = NearClusters(run, clusters)
    assert near.called("speech", spoken)["name"] == near.called("image", 0)["name"] == "castle"
    journal.append([make_edit(run, clusters, "image", "name", 0, value="towers")])
    assert NearClusters(run, clusters).called("image", 0)["name"] == "towers"


def test_segments_are_those_with_the_least_distance(run: Run) -> None:
    stored = run.groundings.embeddings("speech")[:].astype(np.float32)
    vectors = stored[[3, 20]] + np.float32(0.01)
    gaps = squared_distances(stored, vectors)
    parts = np.array([[0, 50], [60, 120]])
    found = near_segments(run, vectors, parts, 5, None, None)
    assert [f.about["row"] for f in found] == np.argsort(gaps.min(1), kind="stable")[:5].tolist()
    assert found[0].about["in_query"] in ({"start": 0.0, "end": 0.5}, {"start": 0.6, "end": 1.2})
    assert {f.about["row"] for f in found[:2]} == {3, 20}
    assert found[0].about["start"] < found[0].about["end"]
    own = run.groundings.of_row(3)
    others = near_segments(run, vectors, parts, 48, NearClusters(run, run.clusters()), own.id)
    assert len(others) == len(stored) - len(own)
    assert own.id not in {f.about["id"] for f in others}
    assert others[0].about["cluster"] == run.clusters().speech.assignment[others[0].about["row"]]


def test_spherical_centroids_are_compared_with_normalised_rows() -> None:
    rng = np.random.default_rng(0)
    centroid = rng.normal(size=(3, 5)).astype(np.float32)
    rows = rng.normal(size=(7, 5)).astype(np.float32)
    plain = ((rows[:, None] - centroid[None]) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(rows, centroid), plain, rtol=1e-4)
    centroid /= np.linalg.norm(centroid, axis=1, keepdims=True)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(squared_distances(rows, centroid), ((unit[:, None] - centroid) ** 2).sum(-1), rtol=1e-4)
