"""Training: exact resume, refusal of other settings, nothing but pictures and sound, the learning rate, the batches."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from avterm.config import Config, TrainingConfig, VisionConfig, resolve
from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import ConfigError, StoreError
from avterm.model.checkpoint import load_model, load_tensors
from avterm.progress import Silent
from avterm.retrieval.recall import recall
from avterm.retrieval.stage import retrieve
from avterm.store.features import IMAGES, SPEECH, shard_path, write_features
from avterm.store.run import Run
from avterm.training.data import MEMORY_LIMIT, PairData, drawn_cells, epoch_order, mel_statistics
from avterm.training.loop import Trainer, train
from avterm.training.schedule import learning_rate


def small_run(folder: Path, preset: str = "modern", dropped: str = "dropout", **training: object) -> Run:
    """24 pairs of made-up features that a model can learn: a caption's level tells its picture's."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 4, 24)
    pairs = [Pair(f"p{i}", f"{i}.png", f"{i}.wav", "val" if i >= 16 else "train") for i in range(24)]
    corpus = Corpus(folder / "corpus.jsonl", pairs)
    corpus.save()
    config = resolve(preset)
    grid = preset != "paper"
    model = dataclasses.replace(config.model, width=1 / 32, embedding=8, **({dropped: 0.1} if grid else {}))  # type: ignore[arg-type]
    settings = {"batch": 4, "epochs": 3, "pool_batches": 2 if grid else 1} | training
    config = Config(
        vision=VisionConfig("efficientnet-lite0" if grid else "vgg16", output="grid" if grid else "vector"),
        model=model,
        training=dataclasses.replace(config.training, **settings),
    )
    run = Run.create(folder / "run", corpus.path, config)
    lengths = rng.integers(60, 90, 24)
    mels = [rng.normal(kinds[i], 1, (n, 40)).astype(np.float16) for i, n in enumerate(lengths)]
    write_features(
        shard_path(run.features_path, SPEECH, 0),
        SPEECH,
        "x",
        {
            "id": [p.id for p in pairs],
            "offset": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            "mel": np.concatenate(mels),
            "active": np.ones(lengths.sum(), np.uint8),
        },
        [],
    )
    shape = (24, 3, 3, 16) if grid else (24, 16)
    backbone = rng.normal(0, 0.3, shape) + kinds.reshape(-1, *[1] * (len(shape) - 1))
    write_features(
        shard_path(run.features_path, IMAGES, 0),
        IMAGES,
        "y",
        {
            "image": [p.image for p in pairs],
            "size": np.full((24, 2), 30, np.int32),
            "backbone": backbone.astype(np.float16),
        },
        [],
    )
    return Run.open(run.path)


def weights(run: Run, name: str = "last") -> dict[str, torch.Tensor]:
    return load_tensors(run.path / "checkpoints" / f"{name}.safetensors")[0]


@pytest.mark.parametrize("recipe", ["modern", "modern pictures", "paper"])
@pytest.mark.parametrize("stop_after", [1, 5, 9])
def test_interrupted_or_not_the_weights_are_the_same(tmp_path: Path, recipe: str, stop_after: int) -> None:
    preset, _, pictures = recipe.partition(" ")
    extra = {"average": 0.9, "cells": 0.5, "mean_epochs": 1} if preset == "modern" else {"learning_rate": 1e-3}
    extra |= {"dropped": "image_dropout"} if pictures else {}
    whole = small_run(tmp_path / "whole", preset, **extra)
    train(whole, Silent())
    cut = small_run(tmp_path / "cut", preset, **extra)
    asked = iter([False] * stop_after + [True] * 1000)
    summary = train(cut, Silent(), should_stop=lambda: next(asked))
    assert not summary["finished"]
    assert cut.stage("train") is None
    assert train(Run.open(cut.path), Silent())["finished"]
    for name in ("last", "best"):
        one, two = weights(whole, name), weights(cut, name)
        assert all(torch.equal(one[k], two[k]) for k in one)
    assert (whole.path / "metrics.jsonl").read_bytes() == (cut.path / "metrics.jsonl").read_bytes()


def test_means_come_first_and_the_match_map_after_them(tmp_path: Path) -> None:
    first, means, maps = (small_run(tmp_path / name, mean_epochs=n) for name, n in (("a", 1), ("b", 0), ("c", 0)))
    means.config = dataclasses.replace(means.config, model=dataclasses.replace(means.config.model, similarity="mean"))
    losses = []
    for run in (first, means, maps):
        train(run, Silent())
        losses.append([json.loads(row)["loss"] for row in (run.path / "metrics.jsonl").read_text().splitlines()])
    assert losses[0][0] == losses[1][0] != losses[2][0]
    assert losses[0][1] != losses[1][1]
    assert load_model(first.path / "checkpoints" / "last.safetensors").similarity == "misa"


def test_done_is_done_and_other_settings_are_refused(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    train(run, Silent())
    before = (run.path / "checkpoints" / "last.safetensors").read_bytes()
    train(run, Silent())
    assert (run.path / "checkpoints" / "last.safetensors").read_bytes() == before
    run.config = dataclasses.replace(run.config, training=dataclasses.replace(run.config.training, seed=2))
    with pytest.raises(StoreError, match="--redo"):
        train(run, Silent())
    train(run, Silent(), redo=True)
    assert (run.path / "checkpoints" / "last.safetensors").read_bytes() != before


def test_training_learns_and_sees_no_words(tmp_path: Path) -> None:
    run = small_run(tmp_path, epochs=12)
    run.corpus.words_path.write_text("not even JSON")  # whoever reads word times or boxes stumbles here
    run.corpus.boxes_path.write_text("not even JSON")
    train(run, Silent())
    rows = [r for r in (run.path / "metrics.jsonl").read_text().splitlines() if r]
    assert len(rows) == 12
    losses = [float(r.split('"loss": ')[1].split(",")[0]) for r in rows]
    assert losses[-1] < 0.7 * losses[0]
    found = retrieve(run, Silent())
    assert found["pairs"] == 8
    assert found["search"]["r5"] >= 0.5
    model = load_model(run.path / "checkpoints" / "best.safetensors")
    assert not model.training


def test_patience_stops_and_stays_stopped(tmp_path: Path) -> None:
    run = small_run(tmp_path, epochs=30, patience=1, learning_rate=0.0)
    stopped = train(run, Silent())["epochs"]
    assert stopped < 30
    run.unfinish("train")  # as if it had died before it could say that it was done
    assert train(Run.open(run.path), Silent())["epochs"] == stopped


@pytest.mark.parametrize("epoch", [1, 3])
def test_cut_off_at_the_end_of_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Checkpoints are written, the state is not: the end of the epoch is done once more, with the same result."""
    whole = small_run(tmp_path / "whole")
    train(whole, Silent())
    cut = small_run(tmp_path / "cut")
    save = Trainer.save_state

    def dying(trainer: Trainer) -> None:
        if trainer.place.epoch == epoch:
            raise KeyboardInterrupt
        save(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save_state", dying)
        with pytest.raises(KeyboardInterrupt):
            train(cut, Silent())
    train(Run.open(cut.path), Silent())
    for name in ("last", "best"):
        one, two = weights(whole, name), weights(cut, name)
        assert all(torch.equal(one[k], two[k]) for k in one)
    assert (whole.path / "metrics.jsonl").read_bytes() == (cut.path / "metrics.jsonl").read_bytes()


def test_mel_statistics_are_over_all_frames(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    data = PairData(run.corpus, run.features, ["train"])
    every = np.concatenate([data.mel(i) for i in range(len(data))]).astype(np.float64)
    mean, deviation = mel_statistics(data)
    np.testing.assert_allclose(mean, every.mean(0))
    np.testing.assert_allclose(deviation, every.std(0), rtol=1e-6)
    unread = PairData(run.corpus, run.features, ["train"], memory=0)
    np.testing.assert_array_equal(unread.batch(np.array([3, 1]), 1000).mel, data.batch(np.array([3, 1]), 1000).mel)


def test_the_order_of_captions_changes_no_recall(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    train(run, Silent(), "cpu")
    model = load_model(run.path / "checkpoints" / "best.safetensors", torch.device("cpu"))
    as_listed = PairData(run.corpus, run.features, ["val"])
    sorted_pairs = PairData(run.corpus, run.features, ["val"], by_length=True)
    assert sorted_pairs.lengths.tolist() == sorted(as_listed.lengths.tolist())
    assert {p.id for p in sorted_pairs.pairs} == {p.id for p in as_listed.pairs}
    for i, pair in enumerate(sorted_pairs.pairs):
        np.testing.assert_array_equal(sorted_pairs.mel(i), run.features.mel(pair.id))
        assert run.features.image_row[pair.image] == sorted_pairs.image[i]
    assert recall(model, sorted_pairs, chunk=3) == recall(model, as_listed, chunk=3)


def test_a_batch_reads_the_drawn_cells_of_its_pictures(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    grid = run.features.backbone.shape[1:-1]
    cells, indices = drawn_cells(grid, 0.3, seed=7), np.array([5, 0, 5])
    assert cells is not None
    assert len(set(cells.tolist())) == round(0.3 * np.prod(grid))
    for memory in (MEMORY_LIMIT, 0):
        data = PairData(run.corpus, run.features, ["train"], memory)
        whole = data.batch(indices, 1000).features
        some = data.batch(indices, 1000, cells=cells).features
        np.testing.assert_array_equal(some.flatten(1, 2), whole.flatten(1, 2)[:, cells])
    assert drawn_cells(grid, 1.0, seed=7) is None
    single = drawn_cells(grid, 1e-9, seed=7)
    assert single is not None
    assert len(single) == 1
    assert not np.array_equal(cells, drawn_cells(grid, 0.3, seed=8))
    for share in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(ConfigError, match=r"training\.cells"):
            drawn_cells(grid, share, seed=1)


def test_learning_rate_of_the_paper_and_cosine() -> None:
    paper = TrainingConfig()
    assert [learning_rate(paper, e * 7, 7) for e in (0, 9, 10, 20)] == [1e-5, 1e-5, 5e-6, 2.5e-6]
    cosine = dataclasses.replace(paper, schedule="cosine", epochs=10, warmup_epochs=1.0)
    rates = [learning_rate(cosine, s, 5) for s in range(50)]
    assert max(rates) == pytest.approx(1e-5, rel=0.05)
    assert rates[0] < rates[4]
    assert rates[-1] < 1e-6


@pytest.mark.parametrize("pool", [1, 3])
def test_an_epoch_holds_each_pair_at_most_once(pool: int) -> None:
    lengths = np.random.default_rng(0).integers(50, 400, 103)
    batches = epoch_order(lengths, 10, seed=1, epoch=4, pool=pool)
    drawn = np.concatenate(batches)
    assert len(batches) == 10
    assert len(set(drawn.tolist())) == 100
    again = epoch_order(lengths, 10, seed=1, epoch=4, pool=pool)
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))
    assert not (np.concatenate(epoch_order(lengths, 10, 1, 5, pool)) == drawn).all()
