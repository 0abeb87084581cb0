"""`avterm features`: log-mel, voice activity and the frozen backbone's output, once for a corpus, shard by shard.

A shard that is there and was made from the same inputs is not made again, so that an interrupted run goes on where it
was, and `shard` lets several machines share the work. Same inputs, same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avterm.config import SpeechConfig, VisionConfig, fingerprint
from avterm.corpus.manifest import Corpus, Pair
from avterm.engine.ahead import ahead
from avterm.errors import BadInput, ConfigError, Problem, StoreError
from avterm.progress import Progress
from avterm.speech.activity import METHODS, activity
from avterm.speech.audio import LONGEST_SECONDS, read_audio
from avterm.speech.logmel import log_mel
from avterm.store.features import IMAGES, SPEECH, FeatureStore, left_out_of, shard_path, write_features
from avterm.store.shards import verify
from avterm.units import SAMPLE_RATE
from avterm.vision.backbones import Backbone, load_backbone, weights_identity
from avterm.vision.pictures import read_picture, resize

PER_SHARD = 1000
OUTPUTS = ("vector", "grid")


@dataclass(frozen=True)
class FeatureSummary:
    """What is there after the stage, and what had to be left out."""

    pairs: int  # with both caption and picture; with a share of the shards: captions
    pictures: int
    made: int  # shards computed now
    kept: int  # shards that were there
    left_out: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the run's stages."""
        return {"pairs": self.pairs, "pictures": self.pictures, "left_out": len(self.left_out)}


@dataclass(frozen=True)
class _Task:
    """One shard to be there: its kind, its number, and the fingerprint of what it is made from."""

    kind: str
    number: int
    key: str

    def path(self, folder: Path) -> Path:
        return shard_path(folder, self.kind, self.number)


def compute_features(
    corpus: Corpus,
    folder: Path,
    speech: SpeechConfig,
    vision: VisionConfig,
    progress: Progress,
    shard: tuple[int, int] | None = None,
    device: str = "auto",
    redo: bool = False,
) -> FeatureSummary:
    """Write all feature shards of a corpus; with `shard` (index, count) those numbered n with n % count == index.

    Captions shorter than `speech.min_seconds` or longer than `speech.max_seconds`, and files that cannot be read, are
    left out and named, now and whenever the stage runs again. StoreError where the folder holds features of another
    corpus or of other settings and not `redo`; ConfigError for settings that cannot be meant.
    """
    _check(speech, vision)
    pictures: dict[str, list[str]] = {}
    for pair in corpus:
        pictures.setdefault(pair.image, []).append(pair.id)
    plan = _plan(corpus, list(pictures), speech, vision)
    _refuse_others(folder, plan, redo)
    if shard is not None:
        plan = [task for task in plan if task.number % shard[1] == shard[0]]
    kept = [task for task in plan if _is_there(folder, task, redo)]
    todo = [task for task in plan if task not in kept]
    for task in kept:
        for problem in left_out_of(task.path(folder), task.kind):
            progress.problem(problem)
    _speech_shards(corpus, folder, speech, [t for t in todo if t.kind == SPEECH], progress)
    _image_shards(corpus, pictures, folder, vision, [t for t in todo if t.kind == IMAGES], progress, device)
    lost = [p for task in plan for p in left_out_of(task.path(folder), task.kind)]
    if shard is not None:
        rows = {k: sum(verify(t.path(folder), k).rows for t in plan if t.kind == k) for k in (SPEECH, IMAGES)}
        return FeatureSummary(rows[SPEECH], rows[IMAGES], len(todo), len(kept), lost)
    store = FeatureStore(folder)
    there = set(store.images)
    whole = sum(corpus[id].image in there for id in store.ids)
    return FeatureSummary(whole, len(there), len(todo), len(kept), lost)


def speech_features(samples: np.ndarray, config: SpeechConfig) -> tuple[np.ndarray, np.ndarray]:
    """float32 (samples,) at 16 kHz → float16 (frames, mels) log-mel and uint8 (frames,) activity, as stored."""
    return log_mel(samples, config.mels).astype(np.float16), activity(samples, config.vad)


def image_features(backbone: Backbone, pixels: np.ndarray, config: VisionConfig) -> np.ndarray:
    """uint8 (B, S, S, 3) → float16 (B, h, w, C) or (B, V), as stored."""
    output = backbone.map(pixels) if config.output == "grid" else backbone.vector(pixels)
    return output.cpu().numpy().astype(np.float16)


def _check(speech: SpeechConfig, vision: VisionConfig) -> None:
    if speech.vad not in METHODS:
        raise ConfigError(f"speech.vad: expected one of {', '.join(METHODS)}, found {speech.vad!r}")
    if vision.output not in OUTPUTS:
        raise ConfigError(f"vision.output: expected one of {', '.join(OUTPUTS)}, found {vision.output!r}")
    if not 1 <= speech.mels <= 128:
        raise ConfigError(f"speech.mels: expected 1 to 128, found {speech.mels}")
    if not 32 <= vision.pixels <= 2048:
        raise ConfigError(f"vision.pixels: expected 32 to 2048, found {vision.pixels}")
    if not 0 <= speech.min_seconds <= speech.max_seconds <= LONGEST_SECONDS:
        raise ConfigError(
            f"speech.max_seconds: expected min_seconds to {LONGEST_SECONDS:.0f}, found {speech.max_seconds}"
        )


def _plan(corpus: Corpus, pictures: list[str], speech: SpeechConfig, vision: VisionConfig) -> list[_Task]:
    speech_key = fingerprint("speech", speech, [[p.id, p.speech] for p in corpus])
    identity = weights_identity(vision.backbone, vision.weights)
    image_key = fingerprint("images", vision.backbone, identity, vision.pixels, vision.output, pictures)
    plan = [_Task(SPEECH, n, speech_key) for n in range(_shards(len(corpus)))]
    return plan + [_Task(IMAGES, n, image_key) for n in range(_shards(len(pictures)))]


def _shards(count: int) -> int:
    return max(-(-count // PER_SHARD), 1)


def _refuse_others(folder: Path, plan: list[_Task], redo: bool) -> None:
    """With `redo`, delete what is left of a larger corpus; without, refuse it."""
    planned = {task.path(folder) for task in plan}
    for kind in (SPEECH, IMAGES):
        for path in sorted(folder.glob(shard_path(folder, kind, 0).name.replace("00000", "?????"))):
            if path not in planned:
                if not redo:
                    raise _other(path)
                path.unlink(missing_ok=True)


def _is_there(folder: Path, task: _Task, redo: bool) -> bool:
    path = task.path(folder)
    if not path.exists():
        return False
    try:
        header = verify(path, task.kind)
    except StoreError:
        if redo:
            return False
        raise
    if header.fingerprint != task.key and not redo:
        raise _other(path)
    return header.fingerprint == task.key


def _other(path: Path) -> StoreError:
    return StoreError(
        f"{path}: made from another corpus or other settings; --redo replaces it, --features FOLDER leaves it alone"
    )


def _speech_shards(
    corpus: Corpus, folder: Path, config: SpeechConfig, todo: Sequence[_Task], progress: Progress
) -> None:
    if not todo:
        return

    def make(pair: Pair) -> tuple[np.ndarray, np.ndarray] | Problem:
        try:
            samples = read_audio(corpus.speech_path(pair), longest=config.max_seconds)
        except BadInput as error:
            return Problem(pair.id, "unreadable-speech", str(error))
        seconds = len(samples) / SAMPLE_RATE
        if seconds < config.min_seconds:
            needed = f"at least {config.min_seconds} s are needed"
            return Problem(pair.id, "too-short", f"{corpus.speech_path(pair)}: {seconds:.2f} s of speech; {needed}")
        return speech_features(samples, config)

    blocks = [corpus.pairs[t.number * PER_SHARD : (t.number + 1) * PER_SHARD] for t in todo]
    with progress.step("speech features", sum(map(len, blocks))) as step:
        for task, block in zip(todo, blocks, strict=True):
            ids, mels, active, lost = [], [], [], []
            for pair, made in ahead(make, block):
                step.advance()
                if isinstance(made, Problem):
                    lost.append(made)
                    progress.problem(made)
                    continue
                ids.append(pair.id)
                mels.append(made[0])
                active.append(made[1])
            offset = np.cumsum([0, *map(len, mels)], dtype=np.int64)
            arrays: dict[str, np.ndarray | list[str]] = {
                "id": ids,
                "offset": offset,
                "mel": np.concatenate([np.zeros((0, config.mels), np.float16), *mels]),
                "active": np.concatenate([np.zeros(0, np.uint8), *active]),
            }
            write_features(task.path(folder), task.kind, task.key, arrays, lost)


def _image_shards(
    corpus: Corpus,
    pictures: dict[str, list[str]],
    folder: Path,
    config: VisionConfig,
    todo: Sequence[_Task],
    progress: Progress,
    device: str,
) -> None:
    if not todo:
        return
    backbone = load_backbone(config.backbone, config.weights, device)

    def make(batch: Sequence[str]) -> _Made:
        good, sizes, pixels, lost = [], [], [], []
        for name in batch:
            try:
                picture = read_picture(corpus.path.parent / name)
            except BadInput as error:
                lost += [Problem(id, "unreadable-picture", str(error)) for id in pictures[name]]
                continue
            good.append(name)
            sizes.append((picture.shape[1], picture.shape[0]))
            pixels.append(resize(picture, config.pixels, config.pixels))
        square = np.stack(pixels) if pixels else np.zeros((0, config.pixels, config.pixels, 3), np.uint8)
        return _Made(good, sizes, image_features(backbone, square, config), lost)

    names = list(pictures)
    blocks = [names[t.number * PER_SHARD : (t.number + 1) * PER_SHARD] for t in todo]
    with progress.step("picture features", sum(map(len, blocks)), "pictures") as step:
        for task, block in zip(todo, blocks, strict=True):
            good, sizes, lost = [], [], []
            output, done = np.zeros(0, np.float16), 0
            batches = [block[i : i + backbone.at_once] for i in range(0, len(block), backbone.at_once)] or [[]]
            for batch, made in ahead(make, batches):
                if not len(output):
                    output = np.empty((len(block), *made.output.shape[1:]), np.float16)
                output[done : done + len(made.output)] = made.output
                done += len(made.output)
                good += made.names
                sizes += made.sizes
                lost += made.lost
                for problem in made.lost:
                    progress.problem(problem)
                step.advance(len(batch))
            arrays: dict[str, np.ndarray | list[str]] = {
                "image": good,
                "size": np.array(sizes, np.int32).reshape(-1, 2),
                "backbone": output[:done],
            }
            write_features(task.path(folder), task.kind, task.key, arrays, lost)


@dataclass(frozen=True)
class _Made:
    """A few pictures' names, sizes and features, and the pairs whose picture could not be read."""

    names: list[str]
    sizes: list[tuple[int, int]]
    output: np.ndarray
    lost: list[Problem]
