"""Made-up features of any number of pairs, for benchmarks of training and grounding: what they hold does not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from avterm.config import Config
from avterm.corpus.manifest import Corpus, Pair
from avterm.grounding.grounder import checkpoint_path
from avterm.model.checkpoint import save_model
from avterm.model.pair import PairModel
from avterm.store.features import IMAGES, PER_SHARD, SPEECH, shard_path, write_features
from avterm.store.run import Run


def fill_features(folder: Path, config: Config, pairs: int, pictures: int, frames: int, shape: tuple[int, ...]) -> Run:
    """A run of `pairs` captions, each `frames` long, that take turns with `pictures` pictures; backbone output `shape`.

    All pairs are to be trained on and grounded; there is nothing to validate on.
    """
    rng = np.random.default_rng(0)
    listed = [Pair(f"pair{i:06d}", f"{i % pictures}.jpg", f"{i}.wav") for i in range(pairs)]
    corpus = Corpus(folder / "corpus" / "corpus.jsonl", listed)
    corpus.path.parent.mkdir(parents=True)
    corpus.save()
    run = Run.create(folder / "run", corpus.path, config)
    for number, first in enumerate(range(0, pairs, PER_SHARD)):
        ids = [pair.id for pair in listed[first : first + PER_SHARD]]
        speech: dict[str, np.ndarray | list[str]] = {
            "id": ids,
            "offset": np.arange(len(ids) + 1, dtype=np.int64) * frames,
            "mel": rng.standard_normal((len(ids) * frames, 40), np.float32).astype(np.float16),
            "active": np.ones(len(ids) * frames, np.uint8),
        }
        write_features(shard_path(run.features_path, SPEECH, number), SPEECH, "made", speech, [])
    for number, first in enumerate(range(0, pictures, PER_SHARD)):
        names = [f"{i}.jpg" for i in range(first, min(first + PER_SHARD, pictures))]
        images: dict[str, np.ndarray | list[str]] = {
            "image": names,
            "size": np.tile(np.array([[500, 375]], np.int32), (len(names), 1)),
            "backbone": np.abs(rng.standard_normal((len(names), *shape), np.float32)).astype(np.float16),
        }
        write_features(shard_path(run.features_path, IMAGES, number), IMAGES, "made", images, [])
    return run


def save_untrained(run: Run, channels: int) -> None:
    """Seeded weights for backbone output of so many channels; the image branch's bias lifts every score above 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = PairModel(run.config.model, channels)
    with torch.no_grad():
        model.image.bias.fill_(0.5)
    save_model(checkpoint_path(run), model, run.config)
