"""Recall of a model on a split: the one figure that training may look at besides its loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from avterm.model.pair import PairModel
from avterm.retrieval.ranks import RankCounter, Recall
from avterm.training.data import PairData
from avterm.training.world import ALONE, World


def score_blocks(
    model: PairModel, data: PairData, frames: int, chunk: int = 128, world: World = ALONE
) -> Iterator[tuple[int, np.ndarray]]:
    """(first caption, scores (captions of the chunk, distinct pictures)), captions cut to `frames`; no gradients.

    Holds all pictures of the split as embeddings (or cells), and one chunk of captions. Of several processes each
    embeds its share of the pictures and yields its share of the chunks, which are the same however many there are.
    """
    device = model.mel_mean.device
    with torch.inference_mode():
        pictures = _pictures(model, data, chunk, world)
        for start in world.part(np.arange(0, len(data), chunk)).tolist():
            batch = data.batch(np.arange(start, min(start + chunk, len(data))), frames).to(device)
            if model.similarity == "mean":
                spoken = model.embed_speech(batch.mel, batch.lengths)
                parts = [spoken @ p.T for p in pictures]
            else:
                output = model.speech_frames(batch.mel, batch.lengths)
                parts = [model.match(output, batch.lengths, p) for p in pictures]
            yield start, torch.cat(parts, 1).float().cpu().numpy()


def _pictures(model: PairModel, data: PairData, chunk: int, world: World) -> list[Tensor]:
    """All distinct pictures, chunk by chunk, as embeddings (n, D) or cells (n, …, D)."""
    mean = model.similarity == "mean"
    starts = range(0, len(data.distinct), chunk)
    whole = [np.arange(start, min(start + chunk, len(data.distinct))) for start in starts]
    inner = () if mean else data.store.backbone.shape[1:-1]
    made: dict[int, Tensor] = {}
    for number in world.part(np.arange(len(whole))).tolist():
        features = torch.from_numpy(data.features(whole[number])).to(model.mel_mean.device).float()
        made[number] = model.embed_image(features) if mean else model.project(features)
    for number, places in enumerate(whole):
        if number not in made:
            made[number] = model.mel_mean.new_empty(len(places), *inner, model.config.embedding)
        made[number] = world.send(made[number].contiguous(), number % world.size)
    return [made[number] for number in range(len(whole))]


def recall(
    model: PairModel, data: PairData, frames: int = 1000, chunk: int = 128, world: World = ALONE
) -> tuple[Recall, Recall]:
    """Search and annotation recall on these pairs; captions are cut to 10 s as in Table 1.

    Several processes share the work; all get the figures that one would get.
    """
    model.eval()
    counter = RankCounter(data.place, len(data.distinct))
    small = len(data) * len(data.distinct) <= 1 << 24
    kept = []
    for start, scores in score_blocks(model, data, frames, chunk, world):
        counter.first_pass(start, scores)
        if small:
            kept.append((start, scores))
    counter.join(world)
    counts = np.zeros(len(data.distinct), np.int64)
    for start, scores in kept if small else score_blocks(model, data, frames, chunk, world):
        counter.second_pass(start, scores, counts)
    return Recall.of(counter.search), Recall.of(world.total(counts)[counter.described])
