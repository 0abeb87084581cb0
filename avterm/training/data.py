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
from avterm.errors import BadInput, ConfigError
from avterm.store.features import FeatureStore
from avterm.training.world import ALONE, World

MEMORY_LIMIT = 6 << 30  # bytes of features that may be kept in memory; above it they are read batch by batch


@dataclass(frozen=True)
class Batch:
    """A minibatch, or this process's share of it: n of its B pairs, padded to the longest of all B.

    mel (n, T, mels) raw, lengths (n,) frames, features (n, …) backbone output, images (B,) picture rows of all pairs,
    which stay on the processor: impostors are drawn there.
    """

    mel: Tensor
    lengths: Tensor
    features: Tensor
    images: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device; the copy overlaps with computing where memory is pinned."""
        mel, lengths, features = (t.to(device, non_blocking=True) for t in (self.mel, self.lengths, self.features))
        return Batch(mel, lengths, features, self.images)

    def pinned(self) -> Batch:
        """The same in page-locked memory."""
        return Batch(*(t.pin_memory() for t in (self.mel, self.lengths, self.features, self.images)))


class PairData:
    """The pairs of some splits whose features are there, in memory if they fit, else read when asked for."""

    def __init__(
        self,
        corpus: Corpus,
        store: FeatureStore,
        splits: Sequence[str],
        memory: int = MEMORY_LIMIT,
        by_length: bool = False,
    ) -> None:
        """BadInput where not one pair of these splits has features.

        by_length: in ascending order of their captions' lengths, so that batches in order hold little padding.
        """
        self.pairs: list[Pair] = [p for p in corpus.split(*splits) if p.id in store.row and p.image in store.image_row]
        if not self.pairs:
            raise BadInput(
                f"{corpus.path}: no pair of split {' or '.join(splits)} has features; see `avterm corpus show`"
            )
        self.store = store
        rows = np.array([store.row[p.id] for p in self.pairs], np.int64)
        if by_length:
            order = np.argsort(np.diff(store.offsets)[rows], kind="stable")
            self.pairs, rows = [self.pairs[i] for i in order], rows[order]
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

    def features(self, places: np.ndarray, cells: np.ndarray | None = None) -> np.ndarray:
        """float16 (n, …): backbone output of these of the distinct pictures.

        cells: of maps, only those at these places of the flattened grid, as (n, cells, 1, channels).
        """
        if self._features is None:
            maps = self.store.backbone[self.distinct[places]]
            return maps if cells is None else _flat(maps)[:, cells, None]
        if cells is None:
            return self._features[places]
        return _flat(self._features)[places[:, None], cells, None]

    def batch(self, indices: np.ndarray, frames: int, world: World = ALONE, cells: np.ndarray | None = None) -> Batch:
        """The pairs at these indices, captions cut to `frames`; of several processes, each reads its share.

        cells: which cells of the pictures' grids to read, the same for all of them; None: all.
        """
        mine = world.part(indices)
        mels = [self.mel(int(i))[:frames] for i in mine]
        lengths = np.array([len(m) for m in mels], np.int64)
        longest = int(np.minimum(self.lengths[indices], frames).max(initial=1))
        padded = np.zeros((len(mels), longest, self.store.mels.shape[1]), np.float32)
        for row, mel in zip(padded, mels, strict=True):
            row[: len(mel)] = mel
        features = self.features(self.place[mine], cells)
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


def drawn_cells(grid: Sequence[int], share: float, seed: int) -> np.ndarray | None:
    """Places of this share of the cells of a (height, width) grid, at least one, ascending; None: all of them.

    ConfigError unless 0 < share <= 1. Where objects cover several cells, which are then much alike, a part of them
    shows a minibatch about as much as all, with less to project and to match (docs/model.md).
    """
    if not 0 < share <= 1:
        raise ConfigError(f"training.cells: expected a share above 0, at most 1, found {share}")
    count = int(np.prod(grid))
    if share == 1 or count <= 1:
        return None
    return np.sort(np.random.default_rng(seed).choice(count, max(1, round(share * count)), replace=False))


def prefetched(
    data: PairData,
    batches: Sequence[np.ndarray],
    frames: int,
    pin: bool,
    world: World = ALONE,
    cells: Sequence[np.ndarray | None] | None = None,
    depth: int = 3,
) -> Iterator[Batch]:
    """This process's share of the batches in order, read ahead by a thread: computing never waits for the disk.

    cells: which cells of the pictures each batch reads.
    """

    def make(indices: np.ndarray, cells: np.ndarray | None) -> Batch:
        made = data.batch(indices, frames, world, cells)
        return made.pinned() if pin else made

    todo = list(zip(batches, cells or [None] * len(batches), strict=True))
    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(make, *some) for some in todo[:depth]]
        for i in range(len(todo)):
            current = pending.pop(0).result()
            if i + depth < len(todo):
                pending.append(reader.submit(make, *todo[i + depth]))
            yield current


def mel_statistics(data: PairData, world: World = ALONE) -> tuple[np.ndarray, np.ndarray]:
    """(mels,) mean and deviation of each band over all frames of these pairs, in one pass, float64 inside."""
    moments = _Moments(data.store.mels.shape[1])
    for i in world.part(np.arange(len(data))):
        mel = data.mel(int(i)).astype(np.float64)
        moments.add(mel.sum(0), (mel**2).sum(0), len(mel))
    mean, variance = moments.over(world)
    return mean, np.sqrt(np.maximum(variance, 1e-6))


def image_statistics(data: PairData, world: World = ALONE, sample: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """(channels,) mean and variance of the backbone's output over at most `sample` pictures, evenly spread."""
    places = np.unique(np.linspace(0, len(data.distinct) - 1, min(sample, len(data.distinct))).astype(np.int64))
    moments = _Moments(data.store.backbone.shape[-1])
    for start in world.part(np.arange(0, len(places), 64)):
        values = data.features(places[start : start + 64]).astype(np.float32)
        flat = values.reshape(-1, values.shape[-1])
        moments.add(flat.sum(0, dtype=np.float64), np.square(flat).sum(0, dtype=np.float64), len(flat))
    return moments.over(world)


def _flat(maps: np.ndarray) -> np.ndarray:
    """(n, h, w, channels) → (n, h · w, channels), nothing copied."""
    return maps.reshape(len(maps), -1, maps.shape[-1])


class _Moments:
    """Sums of values and of their squares, (channels,) each, float64."""

    def __init__(self, channels: int) -> None:
        self.sums, self.count = np.zeros((2, channels)), 0

    def add(self, values: np.ndarray, squares: np.ndarray, count: int) -> None:
        self.sums += np.stack([values, squares])
        self.count += count

    def over(self, world: World) -> tuple[np.ndarray, np.ndarray]:
        """(channels,) mean and variance of what all processes added."""
        values, squares = world.total(self.sums)
        count = max(int(world.total(np.array([self.count]))[0]), 1)
        mean = values / count
        return mean, squares / count - mean**2
