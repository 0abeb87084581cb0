"""The training loop (section 3): reads top to bottom.

Under torchrun every process runs it on its share of each minibatch and takes the same decisions; the first alone
writes (`avterm.training.world`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avterm.config import Config, TrainingConfig, fingerprint
from avterm.errors import ConfigError, StoreError
from avterm.model.checkpoint import save_model
from avterm.model.losses import contrastive_loss, draw_impostors, impostor_loss
from avterm.model.pair import PairModel
from avterm.progress import Progress, Step
from avterm.retrieval.recall import recall
from avterm.store.atomic import write_text
from avterm.store.run import Run
from avterm.training.augment import mask_spectrogram
from avterm.training.choice import mean_recall
from avterm.training.data import (
    MEMORY_LIMIT,
    Batch,
    PairData,
    drawn_cells,
    epoch_order,
    image_statistics,
    mel_statistics,
    prefetched,
)
from avterm.training.device import choose_device, uses_bf16
from avterm.training.events import write_events
from avterm.training.schedule import learning_rate
from avterm.training.spread import spread
from avterm.training.state import Place, history_lines, load_state, save_state
from avterm.training.world import ALONE, World
from avterm.vision.backbones import depths_of

SAVE_EVERY_SECONDS = 300.0  # within an epoch, so that a machine that dies costs minutes, not an epoch


class Trainer:
    """One training: the model, its optimiser, its place, and the folder that it writes to."""

    def __init__(
        self, run: Run, train: PairData, val: PairData | None, device: torch.device, world: World = ALONE
    ) -> None:
        """Build the model of the run's configuration; seeded, so that the same run gives the same weights."""
        self.config = run.config.training
        self.device, self.train, self.val, self.world = device, train, val, world
        self.folder = run.path / "checkpoints"
        self.state = self.folder / "state.safetensors"
        self.metrics = run.path / "metrics.jsonl"
        self.fingerprint = training_fingerprint(run)
        self.bf16 = uses_bf16(self.config.precision, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            self.model = PairModel(run.config.model, int(run.features.backbone.shape[-1]), run.config.speech.mels)
        if not world.any(self.state.exists()):  # which holds them
            self.model.set_mel_statistics(*mel_statistics(train, world))
            if run.config.model.similarity != "mean" or run.config.training.loss == "contrastive":
                self.model.set_image_statistics(*image_statistics(train, world), depths_of(run.config.vision.backbone))
        with torch.no_grad():
            self.model.log_scale.fill_(1.0 / self.config.temperature).log_()
        self.model.to(device)
        self.scores = spread(self.model, self.config, world, min(self.config.batch, len(train)))
        self.optimiser = make_optimiser(self.model, self.config)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()} if self.config.average else {}
        self.place = Place()
        self.config_whole: Config = run.config

    def one_step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Forward, backward, update. Returns the loss a pair, detached, still on the device."""
        batch = batch.to(self.device)
        if self.config.spec_augment:
            batch = mask_spectrogram(batch, self.model.mel_mean, generator, self.world)
        bf16 = torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)
        with bf16, self.model.comparing(self.similarity):
            scores = self.scores(batch.mel, batch.lengths, batch.features)  # (B, B); local impostors: (n, n)
        images = batch.images if self.config.impostors == "global" else self.world.part(batch.images)
        loss = batch_loss(scores.float(), images, self.model, self.config, generator)
        self.optimiser.zero_grad(set_to_none=True)
        (loss * self.share_of_loss(len(images))).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        if self.average:
            decay = min(self.config.average, (1 + self.optimiser_steps) / (10 + self.optimiser_steps))
            for name, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)
        per_pair = loss.detach()
        return per_pair / len(images) if self.config.loss == "impostor" else per_pair

    @property
    def similarity(self) -> str:
        """What the current epoch compares by. Means teach at once what words go with what pictures, roughly; from
        there a match map, which alone may stay for epochs where it began, finds which frames go with which cells."""
        return "mean" if self.place.epoch < self.config.mean_epochs else self.config_whole.model.similarity

    def seed(self, step: int) -> int:
        """Of all that is drawn in a step of the current epoch."""
        return ((self.config.seed * 1_000_003 + self.place.epoch) * 1_000_003 + step) % (1 << 62)

    def cells(self, step: int) -> np.ndarray | None:
        """The cells of the pictures that a step of the current epoch sees; None: all."""
        grid = self.train.store.backbone.shape[1:-1]
        return drawn_cells(grid, self.config.cells, self.seed(step)) if len(grid) else None

    def share_of_loss(self, pairs: int) -> float:
        """What this process's loss counts for in the mean that the gradients of all processes end in.

        Global impostors: every process has the loss of the whole minibatch. Local ones: of its `pairs` alone, the sum
        of which (Equation 1) or the mean over pairs (contrastive) makes that of the minibatch.
        """
        if self.world.size == 1 or self.config.impostors == "global":
            return 1.0
        if self.config.loss == "impostor":
            return float(self.world.size)
        return self.world.size * pairs / min(self.config.batch, len(self.train))

    @property
    def optimiser_steps(self) -> int:
        """How many updates were made so far."""
        return self.place.epoch * self.steps_per_epoch + self.place.step

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return max(1, len(self.train) // self.config.batch)

    @property
    def drops(self) -> bool:
        """Whether anything is dropped at random, and the generator must therefore be seeded at every step."""
        return self.config_whole.model.dropout > 0 or self.config_whole.model.image_dropout > 0

    @property
    def out_of_patience(self) -> bool:
        """Whether recall has not risen for `patience` epochs."""
        return 0 < self.config.patience <= self.place.epoch - 1 - self.place.best_epoch

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.place.epoch >= self.config.epochs or self.out_of_patience

    def one_epoch(self, step: Step, should_stop: Callable[[], bool]) -> bool:
        """The rest of the current epoch. False where it was asked to stop within; the state is then saved."""
        config, place = self.config, self.place
        order = epoch_order(self.train.lengths, config.batch, config.seed, place.epoch, config.pool_batches)
        todo, pin = order[place.step :], self.device.type == "cuda"
        cells = [self.cells(place.step + i) for i in range(len(todo))]
        saved, stop = time.monotonic(), self.world.any(should_stop())
        for batch in prefetched(self.train, todo, config.frames, pin, self.world, cells):
            if stop:
                self.save_state()
                return False
            self.model.train()
            seed = self.seed(self.place.step)
            generator = torch.Generator().manual_seed(seed)
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.config, self.optimiser_steps, self.steps_per_epoch)
            with torch.random.fork_rng(devices=[], enabled=self.drops):
                if self.drops:
                    torch.manual_seed(seed)
                computed = self.one_step(batch, generator)
            stop = self.world.any(should_stop())  # processes agree while a GPU still computes
            loss = self.loss_of_all(computed, len(batch.lengths))
            if loss != loss:
                raise ConfigError(f"the loss became NaN in epoch {self.place.epoch + 1}; lower training.learning_rate")
            self.place.loss_sum += loss
            self.place.step += 1
            step.advance(len(batch.images), loss=loss)
            if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                self.save_state()
                saved = time.monotonic()
        return True

    def loss_of_all(self, loss: Tensor, pairs: int) -> float:
        """The loss a pair of the whole minibatch, the same on every process."""
        if self.world.size == 1 or self.config.impostors == "global":
            return float(loss)
        sums = self.world.total(np.array([float(loss) * pairs, pairs]))
        return float(sums[0] / sums[1])

    def close_epoch(self, seconds: float) -> dict[str, Any]:
        """Validate, record the epoch, keep the best and the last checkpoint, and save the state."""
        place = self.place
        row: dict[str, Any] = {
            "epoch": place.epoch + 1,
            "loss": self.world.of_first(place.loss_sum) / max(place.step, 1),
            "learning_rate": self.optimiser.param_groups[0]["lr"],
        }
        weights = self.average or dict(self.model.state_dict())
        if self.val is not None:
            search, annotation = self.validate(self.val, weights)
            row |= {f"search_{k}": v for k, v in search.items()} | {f"annotation_{k}": v for k, v in annotation.items()}
        recalled = mean_recall(row)
        score = -row["loss"] if recalled is None else recalled
        better = place.best_epoch < 0 or score > place.best
        if better:
            place.best, place.best_epoch = score, place.epoch
        place.history.append(row)
        place.epoch, place.step, place.loss_sum = place.epoch + 1, 0, 0.0
        if self.world.first:
            save_model(self.folder / "last.safetensors", self.model, self.config_whole, weights)
            if better:
                save_model(self.folder / "best.safetensors", self.model, self.config_whole, weights)
            write_text(self.metrics, history_lines(place.history))
        self.save_state()  # last: whoever is cut off before it does the epoch's end once more
        return {**row, "seconds": seconds}

    def validate(self, val: PairData, weights: dict[str, Tensor]) -> tuple[dict[str, float], dict[str, float]]:
        """Recall of these weights on the validation pairs."""
        kept = {k: v.clone() for k, v in self.model.state_dict().items()} if self.average else None
        if kept is not None:
            self.model.load_state_dict(weights)
        search, annotation = recall(self.model, val, world=self.world)
        if kept is not None:
            self.model.load_state_dict(kept)
        return search.as_dict(), annotation.as_dict()

    def save_state(self) -> None:
        """So that training can go on exactly here; the first process writes for all, as all have the same."""
        if self.world.first:
            save_state(self.state, self.model, self.optimiser, self.average, self.place, self.fingerprint)

    def resume(self) -> bool:
        """Go on from a saved state, if there is one. StoreError where not every process sees the same state."""
        found = self.state.exists()
        if found:
            self.place = load_state(self.state, self.model, self.optimiser, self.average, self.fingerprint)
        steps = np.array([self.optimiser_steps if found else -1])
        if self.world.largest(steps)[0] != self.world.smallest(steps)[0]:
            raise StoreError(f"{self.state}: not the same on every machine; all processes need the run's one folder")
        return found


def train(
    run: Run,
    progress: Progress,
    device: str = "auto",
    should_stop: Callable[[], bool] = lambda: False,
    redo: bool = False,
    world: World = ALONE,
) -> dict[str, Any]:
    """Train the run's model on its corpus's `train` split, watched on `val`; returns the summary of the stage.

    Goes on where an interrupted training was; returns at once where it is done. StoreError where the run holds a
    model of another configuration and not `redo`. Several processes (`avterm.training.world.joined`) all call this
    with their `world`; one that is asked to stop stops all, after the same step.
    """
    key = training_fingerprint(run)
    done = run.stage("train")
    if done is not None and not redo:
        if done["fingerprint"] != key:
            raise StoreError(f"{run.path}: holds a model trained with other settings or inputs; --redo replaces it")
        progress.note(f"{run.path}: already trained ({done['summary']['epochs']} epochs)")
        return done["summary"]
    if redo and world.first:
        run.unfinish("train")
        for name in ("checkpoints", "tensorboard"):
            shutil.rmtree(run.path / name, ignore_errors=True)
    world.wait()
    memory = MEMORY_LIMIT // world.local_size
    pairs = PairData(run.corpus, run.features, ["train"], memory)
    has_val = any(p.id in run.features.row for p in run.corpus.split("val"))
    val = PairData(run.corpus, run.features, ["val"], memory, by_length=True) if has_val else None
    trainer = Trainer(run, pairs, val, choose_device(device, world), world)
    if trainer.resume():
        progress.note(f"going on after epoch {trainer.place.epoch}, step {trainer.place.step}")
    seconds = _epochs(run, trainer, progress, should_stop)
    return _summary(run, trainer, seconds, finished=trainer.done)


def _epochs(run: Run, trainer: Trainer, progress: Progress, should_stop: Callable[[], bool]) -> float:
    config, place = trainer.config, trainer.place
    began = time.monotonic()
    per_epoch = trainer.steps_per_epoch * min(config.batch, len(trainer.train))
    done = place.epoch * per_epoch + place.step * config.batch
    for row in place.history if trainer.world.first else ():  # that of an epoch after which the process was killed
        write_events(run.path / "tensorboard", row)
    with progress.step("train", config.epochs * per_epoch, "pairs", done=done) as step:
        while not trainer.done and not trainer.world.any(should_stop()):
            start = time.monotonic()
            if not trainer.one_epoch(step, should_stop):
                break
            row = trainer.close_epoch(time.monotonic() - start)
            if trainer.world.first:
                write_events(run.path / "tensorboard", row)
            progress.note(_line(row, config.epochs))
    if trainer.out_of_patience:
        progress.note(f"stopped early: no better recall for {config.patience} epochs")
    return time.monotonic() - began


def _summary(run: Run, trainer: Trainer, seconds: float, finished: bool) -> dict[str, Any]:
    place = trainer.place
    best = place.history[place.best_epoch] if place.history else {}
    summary: dict[str, Any] = {
        "pairs": len(trainer.train),
        "epochs": place.epoch,
        "best_epoch": place.best_epoch + 1,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "precision": "bf16" if trainer.bf16 else "float32",
        "device": trainer.device.type,
        "processes": trainer.world.size,
    }
    summary |= {k: best[k] for k in ("search_r10", "annotation_r10") if k in best}
    if finished and trainer.world.first:
        run.finish("train", trainer.fingerprint, summary)
    return {**summary, "seconds": round(seconds, 1), "finished": finished}


def training_fingerprint(run: Run) -> str:
    """Changes with anything that changes the weights; not with how many processes share the work."""
    config = run.config
    model, training = asdict(config.model), asdict(config.training)
    if training["impostors"] == "global":
        del training["impostors"]  # as before there was a choice: runs of then go on
    if training["cells"] == 1:
        del training["cells"]
    if training["mean_epochs"] == 0:
        del training["mean_epochs"]
    if model["image_dropout"] == 0:
        del model["image_dropout"]
    if not model["filters"]:
        del model["filters"]
    return fingerprint(
        "train", asdict(config.speech), asdict(config.vision), model, training, run.corpus.fingerprint
    )  # fmt: skip


def make_optimiser(model: PairModel, config: TrainingConfig) -> torch.optim.Optimizer:
    """SGD with momentum (section 3) or AdamW. Biases, norms and the temperature never decay."""
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))
    raise ConfigError(f"training.optimiser: expected sgd or adamw, found {config.optimiser!r}")


def batch_loss(
    scores: Tensor, images: Tensor, model: PairModel, config: TrainingConfig, generator: torch.Generator
) -> Tensor:
    """The configured loss of one minibatch's (B, B) scores; images: (B,), not on a GPU: impostors are drawn there."""
    if config.loss == "impostor":
        drawn = [draw_impostors(images, generator).to(scores.device, non_blocking=True) for _ in range(2)]
        return impostor_loss(scores, drawn[0], drawn[1], config.margin)
    if config.loss == "contrastive":
        images = images.to(scores.device, non_blocking=True)
        return contrastive_loss(scores, images, model.log_scale.clamp(max=4.6).exp(), config.margin)
    raise ConfigError(f"training.loss: expected impostor or contrastive, found {config.loss!r}")


def _line(row: dict[str, Any], epochs: int) -> str:
    text = f"epoch {row['epoch']}/{epochs}: loss {row['loss']:.4f}"
    if "search_r10" in row:
        text += f", search R@10 {row['search_r10']:.3f}, annotation R@10 {row['annotation_r10']:.3f}"
    return f"{text} ({row['seconds']:.1f} s)"
