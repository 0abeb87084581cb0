"""Every figure against a plain definition of what it shows, and as files."""

from __future__ import annotations

import io
import json
from itertools import permutations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import linregress

from avterm.corpus.words import Word
from avterm.errors import UsageError
from avterm.progress import Silent
from avterm.report.affinity_figure import diagonal_order, draw_affinity, per_member, shrink
from avterm.report.crops_figure import CropSheet, contact_sheet, cut, draw_crops
from avterm.report.curves_figure import draw_curves, kept_epoch, read_metrics
from avterm.report.figures import drawings, telling_pairs, write_figures
from avterm.report.grounding_figure import word_owner
from avterm.report.map_figure import draw_map, spread, tsne
from avterm.report.media import Media
from avterm.report.purity_figure import draw_purity, fit_line
from avterm.report.source import Source
from avterm.report.style import DARK, encoded, save_figure, shown
from avterm.store.run import Run
from tests.report.runs import HOSTILE, evaluated, hostile
from tests.synthetic import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluated(tmp_path_factory.mktemp("figures"))


def test_fit_line_is_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random(40), rng.random(40)
    line = fit_line(x, y)
    expected = linregress(x, y)
    assert line == pytest.approx((expected.slope, expected.intercept, expected.rvalue))


def test_fit_line_needs_two_places() -> None:
    assert fit_line(np.ones(3), np.arange(3.0)) is None
    assert fit_line(np.ones(1), np.ones(1)) is None


def test_purity_leaves_out_empty_clusters_and_unknown_values() -> None:
    nan = np.nan
    figure = draw_purity(np.array([0.1, nan, 0.3]), np.array([1, 1, nan]), np.array([4, 0, 4]), ["a", "b", "c"])
    offsets = figure.axes[0].collections[0].get_offsets()
    assert np.allclose(np.asarray(offsets), [[0.1, np.log(4)]])
    assert not draw_purity(np.array([nan]), np.array([nan]), np.array([0]), ["a"]).axes


def test_the_map_holds_the_lowest_variance_first(run: Run) -> None:
    source = Source(run)
    chosen, places = source.map
    assert chosen.tolist() == np.argsort(run.clusters().speech.variance, kind="stable").tolist()
    assert places.shape == (6, 2)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 12])
def test_tsne_fills_the_unit_square_and_repeats(count: int) -> None:
    centroids = np.random.default_rng(1).normal(size=(count, 8))
    places = tsne(centroids)
    assert places.shape == (count, 2)
    assert np.array_equal(places, tsne(centroids))
    if count > 1:
        assert places.min() == pytest.approx(0)
        assert places.max() == pytest.approx(1)
    assert encoded(draw_map(places, ["x"] * count, np.ones(count)), "png")


def test_spread_parts_labels() -> None:
    points = np.zeros((6, 2))
    boxes = np.tile([0.5, 0.12], (6, 1))
    centres = spread(points, boxes)
    for i in range(6):
        for j in range(i):
            dx, dy = np.abs(centres[i] - centres[j])
            assert dx >= 0.49 or dy >= 0.11
        assert np.abs(centres[i]).max() > 0.05


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_diagonal_order_is_a_permutation_with_the_best_diagonal(rows: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((rows, columns))
    down, across = diagonal_order(values)
    assert sorted(down) == list(range(rows))
    assert sorted(across) == list(range(columns))
    shorter = min(rows, columns)
    best = max(
        sum(values[r, c] if rows <= columns else values[c, r] for r, c in zip(range(shorter), chosen, strict=True))
        for chosen in permutations(range(max(rows, columns)), shorter)
    )
    assert np.diag(values[np.ix_(down, across)]).sum() == pytest.approx(best)


def test_clusters_of_one_word_make_a_block() -> None:
    word = np.random.default_rng(4).permutation(np.repeat(np.arange(5), 4))
    values = (word[:, None] == word[None]) * 1.0 + np.random.default_rng(5).random((20, 20)) * 0.1
    down, across = diagonal_order(values)
    assert np.array_equal(word[down], word[across])
    assert (np.diff(word[down]) != 0).sum() == 4


def test_clusters_without_links_follow() -> None:
    down, across = diagonal_order(np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]]))
    assert (down.tolist(), across.tolist()) == ([1, 0], [1, 0, 2])


def test_diagonal_order_finds_shuffled_links() -> None:
    rng = np.random.default_rng(2)
    rows, columns = rng.permutation(30), rng.permutation(30)
    values = np.diag(np.arange(1.0, 31.0))[rows][:, columns] + rng.random((30, 30)) * 0.5
    down, across = diagonal_order(values)
    assert np.argmax(values[np.ix_(down, across)], axis=1).tolist() == list(range(30))


def test_per_member_divides_by_sizes_and_drops_negatives() -> None:
    found = per_member(np.array([[8.0, -1.0]]), np.array([4]), np.array([4, 0]))
    assert found.tolist() == [[2.0, 0.0]]


def test_shrink_keeps_maxima() -> None:
    values = np.random.default_rng(3).random((70, 50))
    small = shrink(values, 20)
    assert small.shape == (20, 20)
    assert small.max() == values.max()
    assert np.array_equal(shrink(values, 100), values)


def test_affinity_without_clusters_says_so() -> None:
    nothing = np.zeros(0)
    assert not draw_affinity(np.zeros((0, 0)), nothing, nothing, []).axes


def test_cut_stays_inside_and_never_is_empty() -> None:
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert np.array_equal(cut(picture, np.array([0, 0, 1, 1])), picture)
    assert np.array_equal(cut(picture, np.array([0.5, 0.25, 1, 0.75])), picture[1:3, 3:])
    for box in ([1, 1, 1, 1], [0.2, 0.2, 0.2, 0.2], [-1, -1, 2, 2]):
        assert cut(picture, np.array(box)).size


def test_contact_sheet_keeps_proportions() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    sheet = contact_sheet([wide], "#ffffff", side=60, gap=0)
    black = (sheet == 0).all(axis=-1)
    assert sheet.shape == (180, 180, 3)
    assert black.any(axis=0).sum() == 60
    assert black.any(axis=1).sum() == 20


def test_crops_without_pictures_are_still_drawn() -> None:
    assert encoded(draw_crops([CropSheet("a", "", [])], theme=DARK), "png")
    assert encoded(draw_crops([]), "svg")


def test_metrics_survive_cut_off_lines_and_resumes(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"epoch": 2, "loss": 1}\n[1]\n{"epoch": 1, "loss": 3}\n{"epoch": 2, "loss": 0.5}\n{"epoch": 3, "lo'
    )
    assert read_metrics(path) == [{"epoch": 1.0, "loss": 3.0}, {"epoch": 2.0, "loss": 0.5}]
    assert read_metrics(tmp_path / "none") == []
    assert encoded(draw_curves(read_metrics(path)), "png")


def test_the_marked_epoch_is_the_one_that_training_keeps() -> None:
    def epoch(number: float, r10: float, r5: float) -> dict[str, float]:
        return {"epoch": number, "search_r10": r10, "annotation_r10": 0.5, "search_r5": r5, "annotation_r5": 0.25}

    assert kept_epoch([epoch(1, 0.5, 0.25), epoch(2, 0.75, 0.25), epoch(3, 0.625, 0.5), epoch(4, 0.5, 0.625)]) == 3
    assert kept_epoch([{"epoch": 1.0, "loss": 2.0}]) is None


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 99)), max_size=5), st.integers(0, 250), st.integers(0, 60)
)
@settings(max_examples=80, deadline=None)
def test_word_owner_is_the_30_percent_rule(spans: list[tuple[int, int]], start: int, length: int) -> None:
    segments = np.array([(a, a + n) for a, n in spans], np.int64).reshape(-1, 2)
    word = Word("x", start / 100, (start + length) / 100)
    shares = [max(0, min(b, start + length) - max(a, start)) / length for a, b in segments.tolist()] if length else []
    owner = word_owner(word, segments)
    if not shares or max(shares) < 0.3 - 1e-9:
        assert owner is None
    elif max(shares) > 0.3 + 1e-9:
        assert owner is not None
        assert shares[owner] == pytest.approx(max(shares))


def test_every_figure_is_written_as_png_and_svg_with_the_same_bytes_twice(run: Run, tmp_path: Path) -> None:
    source = Source(run)
    made = drawings(source, Media(run, Silent()))
    paths = write_figures(made, tmp_path / "a", Silent())
    again = write_figures(made, tmp_path / "b", Silent())
    assert [p.name for p in paths] == [
        f"{stem}.{ending}"
        for stem in (made[0].stem, "figure-2", "figure-3", "figure-4", "appendix-01", "training", "affinity")
        for ending in ("png", "svg")
    ]
    for path, twin in zip(paths, again, strict=True):
        assert path.read_bytes() == twin.read_bytes()
        if path.suffix == ".png":
            assert len(np.unique(np.asarray(Image.open(path).convert("L")))) > 10
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_figure_1_of_any_pair_and_unknown_ones(run: Run) -> None:
    source, media = Source(run), Media(run, Silent())
    made = drawings(source, media, ["1"], pairs=["pair 3", "pair 5"])
    assert [d.stem for d in made] == ["figure-1-pair-3", "figure-1-pair-5"]
    with pytest.raises(UsageError, match="no pair"):
        drawings(source, media, ["1"], pairs=["no pair"])
    with pytest.raises(UsageError, match="'9' is not known"):
        drawings(source, media, ["9"])


def test_telling_pairs_are_grounded_and_distinct(run: Run) -> None:
    found = telling_pairs(Source(run), 5)
    assert len(set(found)) == 5
    assert all(id in run.groundings for id in found)


def test_without_media_evaluation_or_training_the_rest_is_drawn(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    run.corpus.words_path.unlink()
    progress = Silent()
    made = drawings(Source(run), Media(run, progress))
    assert {d.stem.split("-pair")[0] for d in made} == {"figure-1", "figure-3", "figure-4", "appendix-01", "affinity"}
    for drawing in made:
        assert encoded(drawing.draw(DARK), "png")
    assert {p.kind for p in progress.problems} == {"picture", "sound"}


def test_hostile_labels_are_drawn_as_text(tmp_path: Path) -> None:
    run = hostile(tmp_path)
    for drawing in drawings(Source(run), Media(run, Silent())):
        assert b"<script" not in encoded(drawing.draw(DARK), "svg").lower()
    assert all(shown(text).isprintable() for text in HOSTILE)


def test_save_figure_of_numbers_needs_no_labels(tmp_path: Path) -> None:
    paths = save_figure(draw_map(np.array([[0.5, 0.5]]), ["日本"], np.array([3])), tmp_path / "map")
    assert Image.open(io.BytesIO(paths[0].read_bytes())).size[0] > 500
    assert json.dumps([str(p) for p in paths])
