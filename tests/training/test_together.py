"""Training under torchrun: two processes with Gloo give the weights of one, stop together, and fail together."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from avterm.config import ModelConfig
from avterm.errors import ConfigError, UsageError
from avterm.model.checkpoint import load_model
from avterm.model.pair import PairModel
from avterm.progress import Silent
from avterm.retrieval.ranks import RankCounter, ranks
from avterm.retrieval.recall import recall
from avterm.store.run import Run
from avterm.training import loop
from avterm.training.augment import mask_spectrogram
from avterm.training.data import Batch, PairData
from avterm.training.device import choose_device
from avterm.training.loop import Trainer, train
from avterm.training.spread import SharedDropout
from avterm.training.world import ALONE, World, joined
from tests.cli.test_train import SMALL, small_corpus
from tests.training.test_training import small_run, weights

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    # with dropout and batch normalisation
    "modern": ("modern", {"average": 0.9, "spec_augment": True, "cells": 0.5, "mean_epochs": 1}),
    "odd": ("modern", {"batch": 5}),
    "paper": ("paper", {"learning_rate": 1e-3}),
    "bf16": ("modern", {"precision": "bf16"}),
    "patient": ("modern", {"epochs": 30, "patience": 1, "learning_rate": 0.0}),
    "local": ("modern", {"impostors": "local", "batch": 5}),
    "local paper": ("paper", {"impostors": "local", "learning_rate": 1e-3}),
}
WHOLE = ("modern", "odd", "paper", "bf16", "patient")


def started(folder: Path, plan: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """torchrun on a plan of `together.py`."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    program = str(Path(__file__).with_name("together.py"))
    root = Path(__file__).resolve().parents[2]
    return subprocess.run([*TORCHRUN, program, str(path)], capture_output=True, text=True, cwd=root)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every recipe trained by two processes; `modern` and `paper` also cut off after 5 steps, and carried on."""
    folder = tmp_path_factory.mktemp("two")
    plan = []
    for name, (preset, settings) in RECIPES.items():
        plan.append({"run": str(small_run(folder / name, preset, **settings).path)})
    for name in ("modern", "paper"):
        for how in ("cut", "handed on"):
            run = str(small_run(folder / f"{name} {how}", *RECIPES[name][:1], **RECIPES[name][1]).path)
            plan += [{"run": run, "stop": 6}] + ([{"run": run}] if how == "cut" else [])
    plan.append({"recall": plan[0]["run"]})
    done = started(folder, plan)
    assert done.returncode == 0, done.stderr
    (folder / "summaries.jsonl").write_text(done.stdout)
    return folder


def largest_gap(one: Run, other: Run, name: str) -> float:
    """The largest difference between two checkpoints, as a share of each tensor's norm.

    The bias of a convolution before batch normalisation has no effect: the mean takes it away, its gradient is
    rounding alone, and AdamW makes full steps of that. It is looked at as its difference from the running mean of its
    norm, only roughly: that follows with a lag.
    """
    mine, theirs = weights(one, name), weights(other, name)
    assert mine.keys() == theirs.keys()
    for tensors in (mine, theirs):
        for norm in [k for k in tensors if k.endswith("running_mean")]:
            bias = tensors.pop(norm.replace("norm.running_mean", "conv.bias"))
            centre = tensors.pop(norm)
            tensors[f"{norm} rough"] = centre - bias + bias.numel()  # far from 0: hundredths count, not millionths
    gaps = [(mine[k].float() - theirs[k].float()).norm() / mine[k].float().norm().clamp(min=1e-3) for k in mine]
    return float(max(gaps))


def close(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether two epochs have the same figures, but for one rank: the 8 captions of the validation split are of four
    kinds, two of a kind score alike, and which of them comes first is for the last bits of the weights to say."""
    ranked = {key: 1.0 if "rank" in key else 1 / 8 for key in one if key.startswith(("search", "annotation"))}
    rest = [{k: v for k, v in epoch.items() if k not in ranked} for epoch in (one, other)]
    return rest[1] == pytest.approx(rest[0]) and all(abs(one[k] - other[k]) <= most for k, most in ranked.items())


@pytest.mark.parametrize("recipe", WHOLE)
def test_two_processes_give_the_weights_of_one(two: Path, tmp_path: Path, recipe: str) -> None:
    preset, settings = RECIPES[recipe]
    alone = small_run(tmp_path, preset, **settings)
    summary = train(alone, Silent(), "cpu")
    together = Run.open(two / recipe / "run")
    tolerance = 1e-4
    if recipe == "bf16":  # what is rounded to 8 bits may not differ more than the rounding itself makes it differ
        exact = small_run(tmp_path / "exact", preset, precision="float32")
        train(exact, Silent(), "cpu")
        tolerance = largest_gap(exact, alone, "last")
        assert tolerance < 0.2
    for name in ("last", "best"):
        assert largest_gap(alone, together, name) < tolerance
    mine, theirs = (
        [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
        for run in (alone, together)
    )
    assert len(mine) == len(theirs) == summary["epochs"]
    for one, other in zip(mine, theirs, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=tolerance)
        assert recipe == "bf16" or close(one, other)
    done = together.stage("train")
    assert done is not None
    assert done["summary"]["processes"] == 2
    assert len(list((together.path / "tensorboard").iterdir())) >= 1


def test_validation_is_shared_and_exact(two: Path) -> None:
    """The last line is recall in chunks of three captions, by two processes; the model is the same checkpoint."""
    run = Run.open(two / "modern" / "run")
    model = load_model(run.path / "checkpoints" / "best.safetensors")
    data = PairData(run.corpus, run.features, ["train", "val"])
    alone = [figures.as_dict() for figures in recall(model, data, chunk=3)]
    assert json.loads((two / "summaries.jsonl").read_text().splitlines()[-1])["recall"] == alone


@pytest.mark.parametrize("recipe", ["modern", "paper"])
def test_cut_off_and_carried_on(two: Path, recipe: str) -> None:
    """By as many processes: the same bits. By one: within tolerance."""
    whole, cut = Run.open(two / recipe / "run"), Run.open(two / f"{recipe} cut" / "run")
    for name in ("last", "best"):
        one, other = weights(whole, name), weights(cut, name)
        assert all(torch.equal(one[k], other[k]) for k in one)
    assert (whole.path / "metrics.jsonl").read_bytes() == (cut.path / "metrics.jsonl").read_bytes()
    handed = Run.open(two / f"{recipe} handed on" / "run")
    assert handed.stage("train") is None
    assert train(handed, Silent(), "cpu")["finished"]
    assert largest_gap(whole, handed, "last") < 1e-4


@pytest.mark.parametrize("recipe", ["local", "local paper"])
def test_local_impostors_sum_the_losses_of_the_shares(
    two: Path, tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against one process that compares only pairs of one share with each other."""
    preset, settings = RECIPES[recipe]
    together = Run.open(two / recipe / "run")
    other = Run.open(two / ("odd" if recipe == "local" else "paper") / "run")
    assert largest_gap(together, other, "last") > 1e-4  # another loss than the whole minibatch's
    alone = small_run(tmp_path, preset, **settings)
    _take_apart(monkeypatch)
    train(alone, Silent(), "cpu")
    assert largest_gap(alone, together, "last") < 1e-4


def _take_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = loop.batch_loss

    def in_parts(scores: Any, images: Any, model: Any, config: Any, generator: torch.Generator) -> torch.Tensor:
        state = generator.get_state()
        losses = []
        for rank in range(2):
            generator.set_state(state)  # each process draws from its own generator
            part = slice(rank, None, 2)
            losses.append(whole(scores[part, part], images[part], model, config, generator))
        return losses[0] + losses[1] if config.loss == "impostor" else losses[0] * 3 / 5 + losses[1] * 2 / 5

    monkeypatch.setattr(loop, "batch_loss", in_parts)


def test_one_fails_all_fail(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    done = started(tmp_path, [{"run": str(run.path), "fail": 3}])
    assert done.returncode != 0
    assert "the last process fails" in done.stderr
    assert run.stage("train") is None


def test_the_command_under_torchrun(tmp_path: Path) -> None:
    """From corpus to model in one command; SIGTERM to torchrun stops every process with the state saved."""
    command = ["-m", "avterm", "train", str(tmp_path / "run"), "--device", "cpu", "--json"]
    new = ["--corpus", str(small_corpus(tmp_path)), "--preset", "modern", "--set", "speech.vad=energy", *SMALL]
    with subprocess.Popen(
        [*TORCHRUN, *command, *new, "--epochs", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (tmp_path / "run" / "metrics.jsonl").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate()
    assert process.returncode != 0
    assert stdout == ""
    assert "the same command goes on from here" in stderr
    assert "lost the others" not in stderr
    assert (tmp_path / "run" / "checkpoints" / "state.safetensors").exists()
    redo = subprocess.run([*TORCHRUN, *command, "--epochs", "2", "--redo"], capture_output=True, text=True)
    assert redo.returncode == 0, redo.stderr
    assert json.loads(redo.stdout)["processes"] == 2
    assert redo.stderr.count("left out 1 of 8") == 1


def test_shares_cover_a_batch_once_and_read_only_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small_run(tmp_path)
    data = PairData(run.corpus, run.features, ["train"])
    indices = np.array([3, 7, 1, 9, 4])
    whole = data.batch(indices, 80)
    read: list[int] = []
    monkeypatch.setattr(data, "mel", lambda i, mel=data.mel: (read.append(i), mel(i))[1])
    for rank in range(2):
        read.clear()
        part = data.batch(indices, 80, World(rank, 2))
        assert read == indices[rank::2].tolist()
        assert torch.equal(part.mel, whole.mel[rank::2])  # padded alike
        assert torch.equal(part.features, whole.features[rank::2])
        assert torch.equal(part.images, whole.images)


def test_what_is_drawn_does_not_depend_on_the_number_of_processes() -> None:
    random = torch.Generator().manual_seed(0)
    mel = torch.randn(7, 90, 40, generator=random)
    batch = Batch(mel, torch.full((7,), 90), torch.zeros(7, 3), torch.arange(7))
    whole = mask_spectrogram(batch, torch.zeros(40), torch.Generator().manual_seed(5))
    assert not torch.equal(whole.mel, mel)
    frames = torch.randn(7, 5, 30, generator=random)
    with torch.random.fork_rng():
        torch.manual_seed(9)
        dropped = F.dropout(frames, 0.3)
        for rank in range(3):
            world = World(rank, 3)
            part = Batch(world.part(mel), world.part(batch.lengths), world.part(batch.features), batch.images)
            mine = mask_spectrogram(part, torch.zeros(40), torch.Generator().manual_seed(5), world)
            assert torch.equal(mine.mel, world.part(whole.mel))
            torch.manual_seed(9)
            torch.testing.assert_close(SharedDropout(0.3, world, 7)(world.part(frames)), world.part(dropped))
    assert SharedDropout(0.3, World(0, 3), 7).eval()(frames) is frames


def test_channels_dropped_do_not_depend_on_the_number_of_processes() -> None:
    features = torch.randn(7, 2, 2, 30, generator=torch.Generator().manual_seed(0))
    model = PairModel(ModelConfig(embedding=4, width=0.01, image_dropout=0.5), 30).train()
    with torch.random.fork_rng():
        torch.manual_seed(9)
        whole = model.project(features)
        for rank in range(3):
            world = World(rank, 3)
            model.drop_channels = SharedDropout(0.5, world, 7)
            torch.manual_seed(9)
            torch.testing.assert_close(model.project(world.part(features)), world.part(whole))


def test_ranks_of_shares_are_the_ranks_of_the_whole() -> None:
    """Ties included: scores of few distinct values, chunks of five captions dealt to three threads."""
    rng = np.random.default_rng(0)
    starts = range(0, 31, 5)
    for _ in range(20):
        own = rng.integers(0, 9, 31)
        scores = rng.integers(0, 4, (31, 9)).astype(np.float32)
        meeting, box = Barrier(3), [np.zeros(0)] * 3

        def shared(
            rank: int, own: np.ndarray = own, scores: np.ndarray = scores, meeting: Barrier = meeting, box: Any = box
        ) -> tuple[np.ndarray, np.ndarray]:
            world, counter, counts = Threaded(rank, meeting, box), RankCounter(own, 9), np.zeros(9, np.int64)
            for start in world.part(np.array(starts)):
                counter.first_pass(start, scores[start : start + 5])
            counter.join(world)
            for start in world.part(np.array(starts)):
                counter.second_pass(start, scores[start : start + 5], counts)
            return counter.search, world.total(counts)[counter.described]

        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(shared, range(3)))
        for one, whole in zip(zip(*found, strict=True), ranks(scores, own), strict=True):
            assert all((mine == whole).all() for mine in one)


class Threaded(World):
    """A process of three, played by a thread."""

    def __init__(self, rank: int, meeting: Barrier, box: list[np.ndarray]) -> None:
        super().__init__(rank, 3)
        self.__dict__.update(meeting=meeting, box=box)

    def total(self, values: np.ndarray) -> np.ndarray:
        return self.combined(values, np.sum)

    def largest(self, values: np.ndarray) -> np.ndarray:
        return self.combined(values, np.max)

    def smallest(self, values: np.ndarray) -> np.ndarray:
        return self.combined(values, np.min)

    def combined(self, values: np.ndarray, how: Any) -> np.ndarray:
        self.__dict__["box"][self.rank] = values
        self.__dict__["meeting"].wait()
        whole = how(self.__dict__["box"], axis=0)
        self.__dict__["meeting"].wait()
        return whole


def test_alone_nothing_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.arange(3.0)
    assert ALONE.sum(values) is values
    assert ALONE.gather(values, 3) is values
    assert ALONE.part(values) is values
    assert ALONE.any(True)
    assert ALONE.of_first(0.1) == 0.1
    with joined(cuda=False) as world:
        assert world == ALONE
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert World.from_environment() == ALONE
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ConfigError, match="WORLD_SIZE"):
        World.from_environment()


def test_wrong_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small_run(tmp_path, impostors="elsewhere")
    data = PairData(run.corpus, run.features, ["train"])
    with pytest.raises(ConfigError, match="impostors"):
        Trainer(run, data, None, torch.device("cpu"))
    with pytest.raises(UsageError, match="its own device"):
        choose_device("cuda:1", World(0, 2, 0, 2))
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UsageError, match="torchrun"), joined(cuda=False):
        pass
