"""Recall of a model on a split: the one figure that training may look at besides its loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from avterm.model.pair import PairModel
from avterm.retrieval.ranks import RankCounter, Recall
from avterm.training.data import PairData


def score_blocks(model: PairModel, data: PairData, frames: int, chunk: int = 128) -> Iterator[tuple[int, np.ndarray]]:
    """(first caption, scores (captions of the chunk, distinct pictures)), captions cut to `frames`; no gradients.

    Holds all pictures of the split as embeddings (or cells), and one chunk of captions.
    """
    device = model.mel_mean.device
    with torch.inference_mode():
        pictures = []
        for start in range(0, len(data.distinct), chunk):
            places = np.arange(start, min(start + chunk, len(data.distinct)))
            features = torch.from_numpy(data.features(places)).to(device).float()
            pictures.append(
                model.embed_image(features) if model.config.similarity == "mean" else model.project(features)
            )
        for start in range(0, len(data), chunk):
            batch = data.batch(np.arange(start, min(start + chunk, len(data))), frames).to(device)
            if model.config.similarity == "mean":
                spoken = model.embed_speech(batch.mel, batch.lengths)
                parts = [spoken @ p.T for p in pictures]
            else:
                output = model.speech_frames(batch.mel, batch.lengths)
                parts = [model.match(output, batch.lengths, p) for p in pictures]
            yield start, torch.cat(parts, 1).float().cpu().numpy()


def recall(model: PairModel, data: PairData, frames: int = 1000) -> tuple[Recall, Recall]:
    """Search and annotation recall on these pairs; captions are cut to 10 s as in Table 1."""
    model.eval()
    counter = RankCounter(data.place, len(data.distinct))
    small = len(data) * len(data.distinct) <= 1 << 24
    kept = []
    for start, scores in score_blocks(model, data, frames):
        counter.first_pass(start, scores)
        if small:
            kept.append((start, scores))
    counts = np.zeros(len(data.distinct), np.int64)
    for start, scores in kept if small else score_blocks(model, data, frames):
        counter.second_pass(start, scores, counts)
    return Recall.of(counter.search), Recall.of(counts[counter.described])
