"""A whole caption against every picture of the feature store, and a whole picture against every caption.

Scores are the model's own similarity. Candidates are read, embedded and scored a chunk at a time, a thread a core on a
processor; what is kept of them is the best scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from avterm.engine.ahead import ahead
from avterm.engine.together import together
from avterm.model.pair import PairModel
from avterm.retrieval.best import Best
from avterm.store.features import FeatureStore

PICTURES = 64  # a chunk
CAPTIONS, FRAMES = 32, 16_384  # a chunk, padding counted


def best_pictures(model: PairModel, store: FeatureStore, mel: np.ndarray, rows: np.ndarray, most: int) -> Best:
    """float16 (frames, mels) of a caption, int64 picture rows of the store → the best of them."""
    device, best = model.mel_mean.device, Best(most)
    with torch.inference_mode():
        length = torch.tensor([len(mel)], device=device)
        caption = torch.from_numpy(mel.astype(np.float32))[None].to(device)
        output = _speech(model, caption, length)

    def score(chunk: np.ndarray) -> np.ndarray:
        features = torch.from_numpy(store.backbone[chunk]).to(device).float()
        return _scores(model, output, length, _image(model, features))[0]

    for chunk, scores in _each(score, np.split(rows, range(PICTURES, len(rows), PICTURES)), device):
        best.add(chunk, scores)
    return best


def best_captions(model: PairModel, store: FeatureStore, features: np.ndarray, rows: np.ndarray, most: int) -> Best:
    """float16 (h, w, C) or (C,) of a picture, int64 caption rows of the store → the best of them."""
    device, best = model.mel_mean.device, Best(most)
    with torch.inference_mode():
        picture = _image(model, torch.from_numpy(features)[None].to(device).float())

    def score(chunk: np.ndarray) -> np.ndarray:
        mels = [store.mels[int(store.offsets[r]) : int(store.offsets[r + 1])] for r in chunk]
        lengths = np.array([len(m) for m in mels], np.int64)
        padded = np.zeros((len(mels), int(lengths.max()), mels[0].shape[1]), np.float32)
        for row, mel in zip(padded, mels, strict=True):
            row[: len(mel)] = mel
        true = torch.from_numpy(lengths).to(device)
        return _scores(model, _speech(model, torch.from_numpy(padded).to(device), true), true, picture)[:, 0]

    chunks = together(np.diff(store.offsets)[rows], CAPTIONS, FRAMES)
    for chunk, scores in _each(score, [rows[np.array(places, np.int64)] for places in chunks], device):
        best.add(chunk, scores)
    return best


def _speech(model: PairModel, mel: Tensor, lengths: Tensor) -> Tensor:
    """(B, D) where the model compares means, else (B, T', D)."""
    if model.similarity == "mean":
        return model.embed_speech(mel, lengths)
    return model.speech_frames(mel, lengths)


def _image(model: PairModel, features: Tensor) -> Tensor:
    """(C, D) where the model compares means, else (C, h, w, D)."""
    return model.embed_image(features) if model.similarity == "mean" else model.project(features)


def _scores(model: PairModel, speech: Tensor, lengths: Tensor, image: Tensor) -> np.ndarray:
    """float32 (B, C)."""
    found = speech @ image.T if model.similarity == "mean" else model.match(speech, lengths, image)
    scores: np.ndarray = found.float().cpu().numpy()
    return scores


def _each(
    make: Callable[[np.ndarray], np.ndarray], chunks: Sequence[np.ndarray], device: torch.device
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    chunks = [chunk for chunk in chunks if len(chunk)]
    quietly = torch.inference_mode()(make)  # a mode of the thread, not of the process
    return ahead(quietly, chunks) if device.type == "cpu" else ((chunk, quietly(chunk)) for chunk in chunks)
