"""What training reads: the feature store's captions and pictures of a split, batched in a seeded order.

Everything random is drawn from (seed, epoch, step), so that an interrupted run that goes on at any step sees the same
batches as one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import BadInput
from avterm.store.features import FeatureStore

MEMORY_LIMIT = 6 << 30  # bytes of features that may be kept in memory; above it they are read batch by batch


@dataclass(frozen=True)
class Batch:
    """Pairs, padded to the longest: mel (B, T, mels) raw, lengths (B,), features (B, …), images (B,) picture rows."""

    mel: Tensor
    lengths: Tensor
    features: Tensor
    images: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device; the copy overlaps with computing where memory is pinned."""
        moved = (t.to(device, non_blocking=True) for t in (self.mel, self.lengths, self.features, self.images))
        return Batch(*moved)

    def pinned(self) -> Batch:
        """The same in page-locked memory."""
        return Batch(*(t.pin_memory() for t in (self.mel, self.lengths, self.features, self.images)))


class PairData:
    """The pairs of some splits whose features are there, in memory if they fit, else read when asked for."""

    def __init__(self, corpus: Corpus, store: FeatureStore, splits: Sequence[str], memory: int = MEMORY_LIMIT) -> None:
        """BadInput where not one pair of these splits has features."""
        self.pairs: list[Pair] = [p for p in corpus.split(*splits) if p.id in store.row and p.image in store.image_row]
        if not self.pairs:
            raise BadInput(
                f"{corpus.path}: no pair of split {' or '.join(splits)} has features; see `avterm corpus show`"
            )
        self.store = store
        rows = np.array([store.row[p.id] for p in self.pairs], np.int64)
        self.start, self.stop = store.offsets[rows], store.offsets[rows + 1]
        self.image = np.array([store.image_row[p.image] for p in self.pairs], np.int64)
        self.distinct, self.place = np.unique(self.image, return_inverse=True)
        per_image = int(np.prod(store.backbone.shape[1:])) * store.backbone.dtype.itemsize
        frames = int((self.stop - self.start).sum())
        self.fits = frames * store.mels.shape[1] * 2 + len(self.distinct) * per_image <= memory
        self._mels = (
            [store.mels[int(a) : int(b)] for a, b in zip(self.start, self.stop, strict=True)] if self.fits else []
        )
        self._features = store.backbone[self.distinct] if self.fits else None

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def lengths(self) -> np.ndarray:
        """int64 (pairs,): frames of every caption."""
        return self.stop - self.start

    def mel(self, index: int) -> np.ndarray:
        """float16 (frames, mels) of one pair."""
        if self.fits:
            return self._mels[index]
        return self.store.mels[int(self.start[index]) : int(self.stop[index])]

    def features(self, places: np.ndarray) -> np.ndarray:
        """float16 (n, …): backbone output of these of the distinct pictures."""
        if self._features is not None:
            return self._features[places]
        return self.store.backbone[self.distinct[places]]

    def batch(self, indices: np.ndarray, frames: int) -> Batch:
        """The pairs at these indices, captions cut to `frames`."""
        mels = [self.mel(int(i))[:frames] for i in indices]
        lengths = np.array([len(m) for m in mels], np.int64)
        padded = np.zeros((len(mels), int(lengths.max(initial=1)), mels[0].shape[1]), np.float32)
        for row, mel in zip(padded, mels, strict=True):
            row[: len(mel)] = mel
        features = self.features(self.place[indices])
        tensors = (torch.from_numpy(padded), torch.from_numpy(lengths), torch.from_numpy(features).float())
        return Batch(*tensors, torch.from_numpy(self.image[indices]))


def epoch_order(lengths: np.ndarray, batch: int, seed: int, epoch: int, pool: int = 1) -> list[np.ndarray]:
    """The batches of one epoch, shuffled; a last batch that is not full is left out, unless it is the only one.

    With `pool` > 1 the shuffled pairs are sorted by length within every `pool` batches before they are cut, and the
    batches shuffled again: captions of one batch are then about as long, and little of it is padding.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    full = len(lengths) // batch
    if not full:
        return [order]
    if pool > 1:
        cut = pool * batch
        pools = [order[start : start + cut] for start in range(0, len(order), cut)]
        order = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in pools])
    batches = [order[i * batch : (i + 1) * batch] for i in range(full)]
    return [batches[i] for i in random.permutation(full)] if pool > 1 else batches


def prefetched(
    data: PairData, batches: Sequence[np.ndarray], frames: int, pin: bool, depth: int = 3
) -> Iterator[Batch]:
    """The batches in order, read ahead by a thread so that computing never waits for the disk."""

    def make(indices: np.ndarray) -> Batch:
        made = data.batch(indices, frames)
        return made.pinned() if pin else made

    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(make, indices) for indices in batches[:depth]]
        for i in range(len(batches)):
            current = pending.pop(0).result()
            if i + depth < len(batches):
                pending.append(reader.submit(make, batches[i + depth]))
            yield current


def mel_statistics(data: PairData) -> tuple[np.ndarray, np.ndarray]:
    """(mels,) mean and deviation of each band over all frames of these pairs, in one pass, float64 inside."""
    total, squares, count = 0.0, 0.0, 0
    for i in range(len(data)):
        mel = data.mel(i).astype(np.float64)
        total, squares, count = total + mel.sum(0), squares + (mel**2).sum(0), count + len(mel)
    mean = np.asarray(total) / max(count, 1)
    variance = np.asarray(squares) / max(count, 1) - mean**2
    return mean, np.sqrt(np.maximum(variance, 1e-6))


def image_statistics(data: PairData, sample: int = 2000) -> tuple[np.ndarray, float]:
    """(channels,) mean and overall deviation of the backbone's output over at most `sample` pictures, evenly spread."""
    places = np.unique(np.linspace(0, len(data.distinct) - 1, min(sample, len(data.distinct))).astype(np.int64))
    total, squares, count = 0.0, 0.0, 0
    for start in range(0, len(places), 64):
        values = data.features(places[start : start + 64]).astype(np.float32)
        flat = values.reshape(-1, values.shape[-1])
        total, squares = total + flat.sum(0, dtype=np.float64), squares + np.square(flat).sum(0, dtype=np.float64)
        count += len(flat)
    mean = np.asarray(total) / max(count, 1)
    variance = np.asarray(squares) / max(count, 1) - mean**2
    return mean, float(np.sqrt(max(variance.mean(), 1e-6)))
