"""Grounding a run: what is stored, what is left out, what is refused, and that it goes on where it was cut off."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from avterm.engine import ahead as ahead_module
from avterm.errors import BadInput, ConfigError, Problem, StoreError
from avterm.grounding.compare import compare_roads
from avterm.grounding.grounder import Grounded, Grounder
from avterm.grounding.stage import ground
from avterm.progress import Silent
from avterm.store.groundings import Groundings
from avterm.store.run import Run
from tests.grounding.support import DEPTH, grounding_config, make_groundable, save_untrained, untrained_backbone

LEFT_OUT = {"p1": "no-segments", "p4": "nothing-kept", "p5": "no-picture-features"}


@pytest.fixture(autouse=True)
def one_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avterm.grounding.grounder.load_backbone", lambda *_: untrained_backbone())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_groundable(tmp_path)


def with_grounding(run: Run, **changes: object) -> Run:
    config = dataclasses.replace(run.config.grounding, **changes)
    return Run(run.path, run.corpus_path, run.features_path, dataclasses.replace(run.config, grounding=config))


def contents(run: Run) -> list[bytes]:
    return [path.read_bytes() for path in sorted((run.path / "groundings").glob("*.h5"))]


@pytest.mark.parametrize("output", ["grid", "vector"])
@pytest.mark.parametrize("road", ["exact", "shared"])
def test_both_roads_fill_the_same_store(tmp_path: Path, road: str, output: str) -> None:
    run = make_groundable(tmp_path, grounding_config(output, road=road))
    progress = Silent()
    summary = ground(run, progress)
    store = run.groundings
    assert store.ids == ["p0", "p2", "p3"]
    assert (summary.pairs, summary.groundings, summary.made, summary.kept) == (3, len(store), 3, 0)
    assert {p.id: p.kind for p in summary.left_out} == LEFT_OUT
    assert {p.id: p.kind for p in progress.problems} == LEFT_OUT
    assert {p.id: p.kind for p in store.left_out()} == LEFT_OUT
    assert run.stage("ground") is not None
    for id, frames in (("p0", 120), ("p2", 75), ("p3", 300)):
        pair = store.of_pair(id)
        assert (pair.frames, pair.size) == (frames, (64, 48))
        assert 1 <= len(pair) <= 10
        assert (np.diff(pair.score) <= 0).all()
        assert (pair.score > 0).all()
        assert (pair.score >= pair.score[0] / 2).all()
        lengths = pair.segment[:, 1] - pair.segment[:, 0]
        assert ((lengths >= 50) & (lengths <= 100) & (pair.segment[:, 1] <= frames)).all()
        assert ((pair.box[:, 2:] - pair.box[:, :2]) > 0.79).all()
    speech, image = (store.embeddings(m)[:] for m in ("speech", "image"))
    assert speech.dtype == image.dtype == np.float16
    assert speech.shape == image.shape == (len(store), DEPTH)
    scores = (speech.astype(np.float32) * image.astype(np.float32)).sum(1)
    np.testing.assert_allclose(scores, store.column("score")[:], rtol=5e-3)


def test_a_second_call_makes_nothing(run: Run) -> None:
    first = ground(run, Silent())
    before = contents(run)
    again = ground(Run.open(run.path), Silent())
    assert (again.made, again.kept) == (0, 3)
    assert again.as_dict() == first.as_dict()
    assert contents(run) == before


def test_goes_on_where_it_was_cut_off(run: Run) -> None:
    ground(run, Silent())
    before = contents(run)
    (run.path / "groundings" / "00001.h5").unlink()
    run.unfinish("ground")
    assert ground(Run.open(run.path), Silent()).made == 1
    assert contents(run) == before


def test_shares_of_the_shards_give_the_same(run: Run) -> None:
    ground(run, Silent())
    before = contents(run)
    for path in (run.path / "groundings").glob("*.h5"):
        path.unlink()
    run.unfinish("ground")
    shares = [ground(run, Silent(), (i, 2)) for i in range(2)]
    assert [s.made for s in shares] == [2, 1]
    assert [sorted(p.id for p in s.left_out) for s in shares] == [["p1", "p4", "p5"], []]
    assert run.stage("ground") is None
    assert ground(run, Silent()).kept == 3
    assert contents(run) == before


@pytest.mark.parametrize("road", ["exact", "shared"])
def test_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, road: str) -> None:
    run = make_groundable(tmp_path, grounding_config(road=road, pairs_per_shard=6))
    found = []
    for workers in (1, 3):
        monkeypatch.setattr(ahead_module, "workers_here", lambda workers=workers: workers)
        ground(run, Silent(), redo=True)
        found.append(contents(run))
        (run.path / "groundings" / "00000.h5").unlink()
    assert found[0] == found[1]


def test_other_settings_are_refused_until_redo(run: Run) -> None:
    ground(run, Silent())
    other = with_grounding(run, max_kept=1)
    with pytest.raises(StoreError, match=r"00000\.h5: grounded with other settings.*--redo"):
        ground(other, Silent())
    assert ground(other, Silent(), redo=True).per_pair == 1


def test_other_weights_are_refused(run: Run) -> None:
    ground(run, Silent())
    save_untrained(run, 5)
    with pytest.raises(StoreError, match="other settings, features or weights"):
        ground(run, Silent())


def test_redo_drops_shards_of_more_pairs(run: Run) -> None:
    ground(run, Silent())
    fewer = with_grounding(run, pairs_per_shard=6)
    assert ground(fewer, Silent(), redo=True).made == 1
    assert len(contents(run)) == 1
    assert Groundings(run.path / "groundings").ids == ["p0", "p2", "p3"]


def test_a_damaged_shard_is_named_and_redone(run: Run) -> None:
    ground(run, Silent())
    before = contents(run)
    path = run.path / "groundings" / "00001.h5"
    path.write_bytes(path.read_bytes()[:-1])
    run.unfinish("ground")
    with pytest.raises(StoreError, match=r"00001\.h5: damaged"):
        ground(run, Silent())
    assert ground(run, Silent(), redo=True).made == 1
    assert contents(run) == before


def test_what_cannot_be_grounded_is_said(run: Run) -> None:
    with pytest.raises(BadInput, match="no pair of split test"):
        ground(with_grounding(run, splits=("test",)), Silent())
    (run.path / "checkpoints" / "best.safetensors").unlink()
    with pytest.raises(StoreError, match="no trained model here; train one"):
        ground(run, Silent())


@pytest.mark.parametrize(
    "changes",
    [
        {"road": "short"}, {"borders": "wide"}, {"dtype": "int8"}, {"segment_step": 0}, {"max_kept": 0}, {"grid": 0},
        {"pairs_per_shard": 0}, {"segment_max": 40}, {"min_side": 2.0}, {"max_aspect": 0.5},
        {"borders": "adaptive", "road": "exact"},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant(run: Run, changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"grounding.{next(iter(changes))}"):
        ground(with_grounding(run, **changes), Silent())


def test_embeddings_too_large_for_their_type_are_not_cut(run: Run) -> None:
    save_untrained(run, 0, bias=1e6)
    with pytest.raises(StoreError, match="do not fit into float16"):
        ground(run, Silent())
    assert ground(with_grounding(run, dtype="float32"), Silent()).pairs == 3


def test_a_model_of_nan_keeps_nothing(run: Run) -> None:
    save_untrained(run, 0, bias=float("nan"))
    summary = ground(run, Silent())
    assert (summary.pairs, summary.groundings, summary.per_pair) == (0, 0, 0.0)
    assert run.groundings.embeddings("speech")[:].shape == (0, DEPTH)


def test_adaptive_borders_stay_in_the_caption_and_in_order(run: Run) -> None:
    ground(with_grounding(run, borders="adaptive"), Silent())
    for id in run.groundings.ids:
        pair = run.groundings.of_pair(id)
        assert (pair.segment[:, 0] >= 0).all()
        assert (pair.segment[:, 1] <= pair.frames).all()
        assert (pair.segment[:, 1] - pair.segment[:, 0] >= 10).all()
        assert (np.diff(pair.score) <= 0).all()


def test_an_unreadable_picture_is_left_out(tmp_path: Path) -> None:
    run = make_groundable(tmp_path, grounding_config(road="exact"))
    (tmp_path / "corpus" / "2.png").write_bytes(b"")
    left_out = {p.id: p.kind for p in ground(run, Silent()).left_out}
    assert left_out == {**LEFT_OUT, "p2": "unreadable-picture"}


def test_batches_hold_every_pair_once_by_length(run: Run) -> None:
    grounder = Grounder(run, run.config.grounding, torch.device("cpu"))
    batches = grounder.batches(run.corpus.pairs)
    assert sorted(place for batch in batches for place in batch) == list(range(6))
    assert [place for batch in batches for place in batch] == [1, 4, 2, 0, 5, 3]


def test_roads_compared(run: Run) -> None:
    figures = compare_roads(run, 4, "cpu", Silent())  # p0, p1, p3, p5
    assert figures.pairs == 2
    assert figures.equal_top is not None
    assert 0 <= figures.equal_top <= 1
    assert figures.rank_correlation is not None
    assert -1 <= figures.rank_correlation <= 1
    assert figures.score_difference is not None
    assert figures.score_difference >= 0


def test_a_road_is_like_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def always_shared(grounder: Grounder, pair: object) -> Grounded | Problem:
        return shared.ground([pair])[0]  # type: ignore[list-item]

    shared = Grounder(run, run.config.grounding, torch.device("cpu"))
    monkeypatch.setattr("avterm.grounding.compare._one", always_shared)
    figures = compare_roads(run, 6, "cpu", Silent())
    assert figures.pairs == 4
    assert (figures.equal_top, figures.equal_box, figures.found_again) == (1, 1, 1)
    assert figures.score_difference == 0
    assert figures.rank_correlation == pytest.approx(1)
