"""`avterm features`: log-mel, voice activity and the frozen backbone's output, once for a corpus, shard by shard.

A shard that is there and was made from the same inputs is not made again, so that an interrupted run goes on where it
was, and `--shard i/n` lets several machines share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from avterm.config import SpeechConfig, VisionConfig, fingerprint
from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import BadInput, ConfigError, Problem, StoreError
from avterm.progress import Progress
from avterm.speech.activity import activity
from avterm.speech.audio import read_audio
from avterm.speech.logmel import log_mel
from avterm.store.features import IMAGES, SPEECH, FeatureStore, shard_path, write_features
from avterm.store.shards import verify
from avterm.units import SAMPLE_RATE
from avterm.vision.backbones import Backbone, load_backbone
from avterm.vision.pictures import read_picture, resize

PER_SHARD = 1000
PICTURES_AT_ONCE = 8
_AHEAD = 4
Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class FeatureSummary:
    """What is there after the stage, and what had to be left out."""

    pairs: int
    pictures: int
    made: int  # shards computed now
    kept: int  # shards that were there
    left_out: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the run's stages."""
        return {"pairs": self.pairs, "pictures": self.pictures, "left_out": len(self.left_out)}


def compute_features(
    corpus: Corpus,
    folder: Path,
    speech: SpeechConfig,
    vision: VisionConfig,
    progress: Progress,
    shard: tuple[int, int] | None = None,
    device: str = "cpu",
    redo: bool = False,
) -> FeatureSummary:
    """Write all feature shards of a corpus; with `shard` (index, count) those numbered n with n % count == index.

    Captions shorter than `speech.min_seconds` or longer than `speech.max_seconds`, and files that cannot be read, are
    left out and named. StoreError where the folder holds features of other settings and not `redo`.
    """
    pictures = list(dict.fromkeys(p.image for p in corpus))
    speech_key = fingerprint("speech", speech, [[p.id, p.speech] for p in corpus])
    image_key = fingerprint("images", vision, pictures)
    plan = [(SPEECH, n, speech_key) for n in range(_shards(len(corpus)))]
    plan += [(IMAGES, n, image_key) for n in range(_shards(len(pictures)))]
    if shard is not None:
        plan = [step for step in plan if step[1] % shard[1] == shard[0]]
    todo = [step for step in plan if not _is_there(folder, step, redo)]
    _speech_shards(corpus, folder, speech, [s for s in todo if s[0] == SPEECH], progress)
    _image_shards(corpus, pictures, folder, vision, [s for s in todo if s[0] == IMAGES], progress, device)
    if shard is not None and any(not shard_path(folder, kind, n).exists() for kind, n, _ in plan):
        raise StoreError(f"{folder}: shards of this share are missing")
    if shard is not None:
        return FeatureSummary(0, 0, len(todo), len(plan) - len(todo))
    store = FeatureStore(folder)
    return FeatureSummary(len(store.ids), len(store.images), len(todo), len(plan) - len(todo), store.left_out())


def speech_features(samples: np.ndarray, config: SpeechConfig) -> tuple[np.ndarray, np.ndarray]:
    """float32 (samples,) at 16 kHz → float16 (frames, mels) log-mel and uint8 (frames,) activity, as stored."""
    return log_mel(samples, config.mels).astype(np.float16), activity(samples, config.vad)


def image_features(backbone: Backbone, pixels: np.ndarray, config: VisionConfig) -> np.ndarray:
    """uint8 (B, S, S, 3) → float16 (B, h, w, C) or (B, V), as stored."""
    if config.output == "grid":
        return backbone.map(pixels).cpu().numpy().astype(np.float16)
    if config.output == "vector":
        return backbone.vector(pixels).cpu().numpy().astype(np.float16)
    raise ConfigError(f"vision.output: expected vector or grid, found {config.output!r}")


def _shards(count: int) -> int:
    return -(-count // PER_SHARD)


def _is_there(folder: Path, step: tuple[str, int, str], redo: bool) -> bool:
    kind, number, key = step
    path = shard_path(folder, kind, number)
    if not path.exists():
        return False
    try:
        header = verify(path, kind)
    except StoreError:
        if redo:
            return False
        raise
    if header.fingerprint == key:
        return True
    if redo:
        return False
    raise StoreError(
        f"{path}: made from another corpus or other settings; give --redo to replace it, or another --features folder"
    )


def _speech_shards(
    corpus: Corpus, folder: Path, config: SpeechConfig, todo: Sequence[tuple[str, int, str]], progress: Progress
) -> None:
    if not todo:
        return

    def read(pair: Pair) -> tuple[np.ndarray, np.ndarray] | Problem:
        try:
            samples = read_audio(corpus.speech_path(pair))
        except BadInput as error:
            return Problem(pair.id, "unreadable-speech", str(error))
        seconds = len(samples) / SAMPLE_RATE
        if seconds < config.min_seconds:
            return Problem(
                pair.id, "too-short", f"{seconds:.2f} s of speech; at least {config.min_seconds} s are needed"
            )
        if seconds > config.max_seconds:
            return Problem(
                pair.id, "too-long", f"{seconds:.0f} s of speech; at most {config.max_seconds:.0f} s are read"
            )
        return speech_features(samples, config)

    blocks = [corpus.pairs[n * PER_SHARD : (n + 1) * PER_SHARD] for _, n, _ in todo]
    with progress.step("speech features", sum(map(len, blocks))) as step:
        for (kind, number, key), block in zip(todo, blocks, strict=True):
            ids, mels, active, lost = [], [], [], []
            for pair, made in _ahead(read, block):
                step.advance()
                if isinstance(made, Problem):
                    lost.append(made)
                    progress.problem(made)
                    continue
                ids.append(pair.id)
                mels.append(made[0])
                active.append(made[1])
            lengths = np.array([len(m) for m in mels], np.int64)
            arrays: dict[str, np.ndarray | list[str]] = {
                "id": ids,
                "offset": np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
                "mel": np.concatenate(mels) if mels else np.zeros((0, config.mels), np.float16),
                "active": np.concatenate(active) if active else np.zeros(0, np.uint8),
            }
            write_features(shard_path(folder, kind, number), kind, key, arrays, lost)


def _image_shards(
    corpus: Corpus,
    pictures: list[str],
    folder: Path,
    config: VisionConfig,
    todo: Sequence[tuple[str, int, str]],
    progress: Progress,
    device: str,
) -> None:
    if not todo:
        return
    backbone = load_backbone(config.backbone, config.weights, device)

    def read(name: str) -> tuple[np.ndarray, tuple[int, int]] | Problem:
        try:
            pixels = read_picture(corpus.path.parent / name)
        except BadInput as error:
            return Problem(name, "unreadable-picture", str(error))
        return resize(pixels, config.pixels, config.pixels), (pixels.shape[1], pixels.shape[0])

    blocks = [pictures[n * PER_SHARD : (n + 1) * PER_SHARD] for _, n, _ in todo]
    with progress.step("picture features", sum(map(len, blocks)), "pictures") as step:
        for (kind, number, key), block in zip(todo, blocks, strict=True):
            names, sizes, outputs, lost, waiting = [], [], [], [], []
            for name, made in _ahead(read, block):
                if isinstance(made, Problem):
                    lost.append(made)
                    progress.problem(made)
                    step.advance()
                    continue
                names.append(name)
                sizes.append(made[1])
                waiting.append(made[0])
                if len(waiting) == PICTURES_AT_ONCE:
                    outputs.append(image_features(backbone, np.stack(waiting), config))
                    step.advance(len(waiting))
                    waiting = []
            if waiting or not outputs:
                pixels = np.stack(waiting) if waiting else np.zeros((1, config.pixels, config.pixels, 3), np.uint8)
                outputs.append(image_features(backbone, pixels, config)[: len(waiting)])
                step.advance(len(waiting))
            arrays: dict[str, np.ndarray | list[str]] = {
                "image": names,
                "size": np.array(sizes, np.int32).reshape(-1, 2),
                "backbone": np.concatenate(outputs),
            }
            write_features(shard_path(folder, kind, number), kind, key, arrays, lost)


def _ahead(make: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[tuple[Item, Made]]:
    """(item, make(item)) in order, a few made ahead by threads (decoding lets go of the interpreter)."""
    with ThreadPoolExecutor(2) as pool:
        pending = [pool.submit(make, item) for item in items[: _AHEAD * PICTURES_AT_ONCE]]
        for i, item in enumerate(items):
            made = pending.pop(0).result()
            following = i + _AHEAD * PICTURES_AT_ONCE
            if following < len(items):
                pending.append(pool.submit(make, items[following]))
            yield item, made
