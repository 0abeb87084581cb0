"""Made-up embeddings and runs of any size, by a seeded generator: what the benchmarks of clustering read.

As learnt embeddings do, they overlap, lie around words of very different frequency, and spread over few directions
much and over many hardly: value d has deviation d^-1/2, so that 1,024 values have some 35 effective dimensions.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from avterm.config import resolve
from avterm.corpus.manifest import Corpus, Pair
from avterm.store.groundings import shard_path, write_groundings
from avterm.store.run import Run

WORDS, APART, AGREEMENT = 1000, 0.8, 0.8
PER_SHARD = 1000  # pairs, as grounding writes them


class Maker:
    """Draws embeddings (n, depth) of both modalities around the same words, one after the other."""

    def __init__(self, depth: int, seed: int = 0) -> None:
        """Words are drawn here; their frequency falls with the power 0.7 of their rank."""
        self._random = torch.Generator().manual_seed(seed)
        self._scale = torch.arange(1, depth + 1).float() ** -0.5
        self._words = [torch.randn(WORDS, depth, generator=self._random) * self._scale * APART for _ in range(2)]
        self._frequency = torch.arange(1, WORDS + 1).float() ** -0.7

    def draw(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """float32 (count, depth) of speech and of pictures; most rows are of one word on both sides."""
        word = torch.multinomial(self._frequency, count, replacement=True, generator=self._random)
        other = torch.multinomial(self._frequency, count, replacement=True, generator=self._random)
        agrees = torch.rand(count, generator=self._random) < AGREEMENT
        speech, image = (
            torch.randn(count, len(self._scale), generator=self._random).mul_(self._scale).add_(centres[which])
            for centres, which in zip(self._words, (word, torch.where(agrees, word, other)), strict=True)
        )
        return speech.numpy(), image.numpy()


def fill_run(folder: Path, pairs: int, groundings: int, depth: int, k: int) -> Run:
    """A run with `groundings` groundings of `pairs` pairs in its own stores, float16; nothing else is in it."""
    listed = [Pair(f"pair{i:06d}", f"{i}.jpg", f"{i}.wav") for i in range(pairs)]
    corpus = Corpus(folder / "corpus" / "corpus.jsonl", listed)
    corpus.path.parent.mkdir(parents=True)
    corpus.save()
    run = Run.create(folder / "run", corpus.path, resolve("paper", None, {"clustering": {"k": k}}))
    maker, base, rest = Maker(depth), *divmod(groundings, pairs)
    each = np.full(pairs, base, np.int64)
    each[:rest] += 1
    for number, first in enumerate(range(0, pairs, PER_SHARD)):
        of_pair = each[first : first + PER_SHARD]
        ids = [pair.id for pair in listed[first : first + PER_SHARD]]
        write_groundings(shard_path(run.path / "groundings", number), "made", _shard(maker, ids, of_pair), [])
    run.finish("ground", "made", {"pairs": pairs, "groundings": groundings})
    return run


def _shard(maker: Maker, ids: list[str], of_pair: np.ndarray) -> dict[str, np.ndarray | list[str]]:
    rows = int(of_pair.sum())
    speech, image = maker.draw(rows)
    return {
        "id": ids,
        "offset": np.concatenate([[0], np.cumsum(of_pair)]),
        "size": np.tile(np.array([[500, 375]], np.int32), (len(ids), 1)),
        "frames": np.full(len(ids), 1000, np.int32),
        "box": np.tile(np.array([[0.1, 0.1, 0.5, 0.5]], np.float32), (rows, 1)),
        "segment": np.tile(np.array([[10, 70]], np.int32), (rows, 1)),
        "score": (speech * image).sum(1),
        "silence": np.zeros(rows, np.float32),
        "speech_embedding": speech.astype(np.float16),
        "image_embedding": image.astype(np.float16),
    }


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of temporary files that vanishes at the end."""
    folder = Path(tempfile.mkdtemp(prefix="avterm-benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
