"""The map's points."""

from __future__ import annotations

import numpy as np
import pytest

from avterm.tui import layout
from avterm.tui.points import map_path, neighbour, read_map
from tests.synthetic import make_run


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 12])
def test_any_number_of_centroids_is_laid_out(count):
    points = layout.lay_out(np.random.default_rng(0).normal(size=(count, 5)))
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    assert ((points >= 0) & (points <= 1)).all()


def test_the_same_centroids_give_the_same_map():
    centroids = np.random.default_rng(0).normal(size=(20, 5))
    assert np.array_equal(layout.lay_out(centroids), layout.lay_out(centroids))


def test_groups_stay_together():
    rng = np.random.default_rng(0)
    centroids = np.concatenate([rng.normal(c, 0.1, (10, 5)) for c in (0, 20)])
    points = layout.lay_out(centroids)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert all((i < 10) == (int(np.argmin(gaps[i])) < 10) for i in range(20))


def test_the_map_is_kept_and_belongs_to_its_clusters(tmp_path):
    run = make_run(tmp_path, media=False)
    clusters = run.clusters()
    assert read_map(run, clusters, "speech") is None
    assert layout.main([str(run.path), "6", "speech"]) == 0
    assert read_map(run, clusters, "speech").shape == (6, 2)
    assert read_map(run, clusters, "image") is None
    clusters.fingerprint = "another"
    assert read_map(run, clusters, "speech") is None
    clusters.fingerprint = "synthetic"
    map_path(run, 6, "speech").write_bytes(b"damaged")
    assert read_map(run, clusters, "speech") is None


def test_failures_are_one_line(tmp_path, capsys):
    assert layout.main([str(tmp_path), "6", "speech"]) == 1
    assert "no run here" in capsys.readouterr().err
    assert layout.main([]) == 1


def test_neighbours_lie_in_the_direction_asked_for():
    points = np.array([[0, 0], [10, 0], [10, 9], [0, 10], [-5, 0], [np.nan, np.nan]])
    assert neighbour(points, 0, 1, 0) == 1
    assert neighbour(points, 0, 0, 1) == 3
    assert neighbour(points, 0, -1, 0) == 4
    assert neighbour(points, 0, 0, -1) == 0
    assert neighbour(points, 1, 0, 1) == 2


def test_every_point_can_be_reached():
    points = np.random.default_rng(3).uniform(size=(40, 2))
    seen, todo = {0}, [0]
    while todo:
        at = todo.pop()
        for way in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            to = neighbour(points, at, *way)
            if to not in seen:
                seen.add(to)
                todo.append(to)
    assert seen == set(range(40))
