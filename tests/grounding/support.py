"""A small run that can be grounded: pictures on disk, features of them, an untrained model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from avterm.config import Config, resolve
from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import Problem
from avterm.grounding.grounder import checkpoint_path
from avterm.model.checkpoint import save_model
from avterm.model.pair import PairModel
from avterm.store.features import IMAGES, SPEECH, shard_path, write_features
from avterm.store.run import Run
from avterm.vision.backbones import Backbone, load_backbone

PIXELS, DEPTH = 64, 8
FRAMES = (120, 49, 75, 300, 50, 220)  # the second has no segment


def grounding_config(output: str = "grid", **grounding: object) -> Config:
    """Small, and with `min_side` so large that the exact road has few crops to look at."""
    settings = {"min_side": 0.8, "pairs_per_shard": 2, "splits": ["train"], **grounding}
    return resolve(
        None,
        None,
        {
            "vision": {"backbone": "efficientnet-lite0", "weights": "random", "pixels": PIXELS, "output": output},
            "model": {"width": 0.05, "embedding": DEPTH, "speech_branch": "harwath2017"},
            "grounding": settings,
        },
    )


def make_groundable(folder: Path, config: Config | None = None, seed: int = 0) -> Run:
    """Six pairs `p0` … `p5` of FRAMES; `p1` is too short, `p4` is all silence, `p5`'s picture could not be read."""
    rng = np.random.default_rng(seed)
    config = config or grounding_config()
    source = folder / "corpus"
    source.mkdir(parents=True)
    pictures = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in FRAMES]
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(source / f"{i}.png")
    corpus = Corpus(source / "corpus.jsonl", [Pair(f"p{i}", f"{i}.png", f"{i}.wav") for i in range(len(FRAMES))])
    corpus.save()
    run = Run.create(folder / "run", corpus.path, config)
    _write_speech(run, rng)
    _write_images(run, pictures)
    save_untrained(run, seed)
    return run


def save_untrained(run: Run, seed: int, bias: float = 0.5) -> None:
    """Weights for the run, drawn with this seed; the image branch's bias lifts every score above 0."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = PairModel(run.config.model, 1920)
    with torch.no_grad():
        model.image.bias.fill_(bias)  # the speech branch ends in a ReLU
    save_model(checkpoint_path(run), model, run.config)


@cache
def untrained_backbone() -> Backbone:
    """One for all tests: drawing its weights takes longer than most of them."""
    return load_backbone("efficientnet-lite0", "random")


def _write_speech(run: Run, rng: np.random.Generator) -> None:
    active = [np.ones(n, np.uint8) for n in FRAMES]
    active[4][:] = 0
    arrays: dict[str, np.ndarray | list[str]] = {
        "id": [f"p{i}" for i in range(len(FRAMES))],
        "offset": np.cumsum([0, *FRAMES], dtype=np.int64),
        "mel": rng.normal(0, 2, (sum(FRAMES), 40)).astype(np.float16),
        "active": np.concatenate(active),
    }
    write_features(shard_path(run.features_path, SPEECH, 0), SPEECH, "speech", arrays, [])


def _write_images(run: Run, pictures: list[np.ndarray]) -> None:
    backbone = untrained_backbone()
    square = np.stack([np.asarray(Image.fromarray(p).resize((PIXELS, PIXELS), 2)) for p in pictures[:5]])
    output = backbone.map(square) if run.config.vision.output == "grid" else backbone.vector(square)
    arrays: dict[str, np.ndarray | list[str]] = {
        "image": [f"{i}.png" for i in range(5)],
        "size": np.tile(np.array([[64, 48]], np.int32), (5, 1)),
        "backbone": output.numpy().astype(np.float16),
    }
    lost = [Problem("p5", "unreadable-picture", "is empty")]
    write_features(shard_path(run.features_path, IMAGES, 0), IMAGES, "images", arrays, lost)
