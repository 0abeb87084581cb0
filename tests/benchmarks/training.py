"""The whole training loop over cached features against the bare forward and backward pass of the speech branch.

Both run over the same minibatches in the same precision, in turns. The loop is `Trainer.one_epoch`: reading batches,
the image side, scores, loss, gradients, the optimiser's step. What ends an epoch (validation, checkpoints) comes once
in some 1,700 steps of the paper's, here it would come every few; the note says how long it takes.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import torch

from avterm.config import resolve
from avterm.progress import Silent
from avterm.training.data import PairData, epoch_order
from avterm.training.loop import Trainer
from tests.benchmarks.embeddings import scratch
from tests.benchmarks.features import fill_features
from tests.benchmarks.rows import Row

ROUNDS = 4


def rows() -> list[Row]:
    """At least 0.9 of its throughput, with the paper's model, with the modern one, and with a quarter of the cells."""
    return [
        measure("paper", batch=16, frames=1024, shape=(4096,)),
        measure("modern", batch=64, frames=320, shape=(10, 10, 1920)),
        measure("demo", batch=64, frames=320, shape=(10, 10, 1920)),
    ]


def measure(preset: str, batch: int, frames: int, shape: tuple[int, ...], steps: int = 3) -> Row:
    """Epochs of a few steps, and the bare passes over their batches."""
    config = resolve(preset)
    training = dataclasses.replace(config.training, batch=batch, pool_batches=1, mean_epochs=0)  # none of plain means
    config = dataclasses.replace(config, training=training)
    with scratch() as folder:
        run = fill_features(folder, config, batch * steps, batch * steps, frames, shape)
        data = PairData(run.corpus, run.features, ["train"])
        trainer = Trainer(run, data, None, torch.device("cpu"))
        with Silent().step("train", len(data) * ROUNDS) as step:
            loop = bare = closing = np.inf
            for _ in range(ROUNDS):
                batches = epoch_order(data.lengths, batch, training.seed, trainer.place.epoch)
                bare = min(bare, _seconds(lambda batches=batches: _bare(trainer, data, batches, frames)))
                loop = min(loop, _seconds(lambda: trainer.one_epoch(step, lambda: False)))
                closing = min(closing, _seconds(lambda: trainer.close_epoch(0.0)))
    what = f"training loop, {preset}, {batch} captions of {frames / 100:g} s"
    note = f"{'bf16' if trainer.bf16 else 'float32'}, seconds a step; an epoch's end takes {closing:.2f} s"
    return Row(what, "bare forward and backward", loop / steps, bare / steps, bare / loop, 0.9, True, note)


def _bare(trainer: Trainer, data: PairData, batches: list[np.ndarray], frames: int) -> None:
    model = trainer.model.train()
    for indices in batches:
        batch = data.batch(indices, frames, cells=trainer.cells(0))
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=trainer.bf16):
            output = model.speech(model.normalise(batch.mel), batch.lengths)
        output.float().sum().backward()


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
