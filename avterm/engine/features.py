"""`avterm features`: log-mel, voice activity and the frozen backbone's output, once for a corpus, shard by shard.

A shard that is there and was made from the same inputs is not made again, so that an interrupted run goes on where it
was, and `shard` lets several machines share the work. Same inputs, same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from avterm.config import SpeechConfig, VisionConfig, fingerprint
from avterm.corpus.manifest import Corpus
from avterm.engine.ahead import ahead
from avterm.engine.mapping import HERE, Engine, Report, Told
from avterm.errors import BadInput, ConfigError, Problem, StoreError
from avterm.progress import Progress
from avterm.speech.activity import METHODS, activity
from avterm.speech.audio import LONGEST_SECONDS, read_audio
from avterm.speech.logmel import log_mel
from avterm.store.expected import ExpectedShard
from avterm.store.features import (
    IMAGES,
    SPEECH,
    FeatureStore,
    left_out_of,
    places_of,
    shard_count,
    shard_path,
    shard_paths,
    write_features,
)
from avterm.store.run import Run
from avterm.store.shards import verify
from avterm.units import SAMPLE_RATE
from avterm.vision.backbones import Backbone, load_backbone, weights_identity
from avterm.vision.pictures import read_picture, resize

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
class _Job:
    """What every shard is made with, wherever that is."""

    corpus: Path  # the manifest's folder
    folder: Path
    speech: SpeechConfig
    vision: VisionConfig
    device: str


@dataclass(frozen=True)
class _Task:
    """One shard to be there: its kind, its number, the fingerprint of what it is made from, and its block's files."""

    kind: str
    number: int
    key: str
    names: tuple[str, ...]  # of recordings or pictures, as in the manifest
    ids: tuple[tuple[str, ...], ...]  # of the pairs of each

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
    engine: Engine = HERE,
) -> FeatureSummary:
    """Write all feature shards of a corpus; with `shard` (index, count) those numbered n with n % count == index.

    Captions shorter than `speech.min_seconds` or longer than `speech.max_seconds`, and files that cannot be read, are
    left out and named, now and whenever the stage runs again. StoreError where the folder holds features of another
    corpus or of other settings and not `redo`; ConfigError for settings that cannot be meant; BadInput, before any
    work, where the backbone's weights cannot be had.
    """
    _check(speech, vision)
    plan = _plan(corpus, speech, vision)
    _refuse_others(folder, plan, redo)
    if shard is not None:
        plan = [task for task in plan if task.number % shard[1] == shard[0]]
    kept = {(task.kind, task.number) for task in plan if _is_there(folder, task, redo)}
    todo = [task for task in plan if (task.kind, task.number) not in kept]
    for task in plan:
        if (task.kind, task.number) in kept:
            for problem in left_out_of(task.path(folder), task.kind):
                progress.problem(problem)
    # resolved, as messages that shards keep name files: the same bytes however the corpus was named
    job = _Job(corpus.path.resolve().parent, folder, speech, vision, device)
    try:
        if any(task.kind == IMAGES for task in todo):
            _find_weights(job, engine)
        for kind, name, unit in ((SPEECH, "speech features", "pairs"), (IMAGES, "picture features", "pictures")):
            some = [task for task in todo if task.kind == kind]
            if some:
                with progress.step(name, sum(len(task.names) for task in some), unit) as step:
                    work = partial(_SHARDS[kind], job)
                    deque(engine.map(work, some, Told(step, progress), gpu=kind == IMAGES), maxlen=0)
    finally:
        _backbone.cache_clear()  # what follows in this process, such as training, needs the memory
    lost = [p for task in plan for p in left_out_of(task.path(folder), task.kind)]
    if shard is not None:
        rows = {k: sum(verify(t.path(folder), k).rows for t in plan if t.kind == k) for k in (SPEECH, IMAGES)}
        return FeatureSummary(rows[SPEECH], rows[IMAGES], len(todo), len(kept), lost)
    store = FeatureStore(folder)
    there = set(store.images)
    whole = sum(corpus[id].image in there for id in store.ids)
    return FeatureSummary(whole, len(there), len(todo), len(kept), lost)


def feature_parts_of(run: Run) -> list[ExpectedShard]:
    """The shards that `compute_features` writes for a run, with what they are to be made from."""
    plan = _plan(run.corpus, run.config.speech, run.config.vision)
    return [ExpectedShard(task.path(run.features_path), task.kind, task.key) for task in plan]


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


def _plan(corpus: Corpus, speech: SpeechConfig, vision: VisionConfig) -> list[_Task]:
    pictures: dict[str, list[str]] = {}
    for pair in corpus:
        pictures.setdefault(pair.image, []).append(pair.id)
    speech_key = fingerprint("speech", speech, [[p.id, p.speech] for p in corpus])
    identity = weights_identity(vision.backbone, vision.weights)
    image_key = fingerprint("images", vision.backbone, identity, vision.pixels, vision.output, list(pictures))
    spoken = [(pair.speech, (pair.id,)) for pair in corpus]
    shown = [(name, tuple(ids)) for name, ids in pictures.items()]
    return [*_blocks(SPEECH, speech_key, spoken), *_blocks(IMAGES, image_key, shown)]


def _blocks(kind: str, key: str, files: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[_Task]:
    for number in range(shard_count(len(files))):
        block = files[places_of(number)]
        yield _Task(kind, number, key, tuple(name for name, _ in block), tuple(ids for _, ids in block))


def _refuse_others(folder: Path, plan: list[_Task], redo: bool) -> None:
    """With `redo`, delete what is left of a larger corpus; without, refuse it."""
    planned = {task.path(folder) for task in plan}
    for kind in (SPEECH, IMAGES):
        for path in shard_paths(folder, kind):
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


def _speech_shard(job: _Job, task: _Task, report: Report) -> None:
    """Make one shard of SPEECH."""
    config = job.speech

    def make(item: tuple[str, tuple[str, ...]]) -> tuple[np.ndarray, np.ndarray] | Problem:
        path, id = job.corpus / item[0], item[1][0]
        try:
            samples = read_audio(path, longest=config.max_seconds)
        except BadInput as error:
            return Problem(id, "unreadable-speech", str(error))
        seconds = len(samples) / SAMPLE_RATE
        if seconds < config.min_seconds:
            needed = f"at least {config.min_seconds} s are needed"
            return Problem(id, "too-short", f"{path}: {seconds:.2f} s of speech; {needed}")
        return speech_features(samples, config)

    ids, mels, active, lost = [], [], [], []
    for item, made in ahead(make, list(zip(task.names, task.ids, strict=True))):
        report.advance()
        if isinstance(made, Problem):
            lost.append(made)
            report.problem(made)
            continue
        ids.append(item[1][0])
        mels.append(made[0])
        active.append(made[1])
    arrays: dict[str, np.ndarray | list[str]] = {
        "id": ids,
        "offset": np.cumsum([0, *map(len, mels)], dtype=np.int64),
        "mel": np.concatenate([np.zeros((0, config.mels), np.float16), *mels]),
        "active": np.concatenate([np.zeros(0, np.uint8), *active]),
    }
    write_features(task.path(job.folder), task.kind, task.key, arrays, lost)


def _image_shard(job: _Job, task: _Task, report: Report) -> None:
    """Make one shard of IMAGES."""
    config = job.vision
    backbone = _backbone(config.backbone, config.weights, job.device)
    ids_of = dict(zip(task.names, task.ids, strict=True))

    def make(batch: Sequence[str]) -> _Made:
        good, sizes, pixels, lost = [], [], [], []
        for name in batch:
            try:
                picture = read_picture(job.corpus / name)
            except BadInput as error:
                lost += [Problem(id, "unreadable-picture", str(error)) for id in ids_of[name]]
                continue
            good.append(name)
            sizes.append((picture.shape[1], picture.shape[0]))
            pixels.append(resize(picture, config.pixels, config.pixels))
        square = np.stack(pixels) if pixels else np.zeros((0, config.pixels, config.pixels, 3), np.uint8)
        return _Made(good, sizes, image_features(backbone, square, config), lost)

    good, sizes, lost = [], [], []
    output, done = np.zeros(0, np.float16), 0
    batches = [task.names[i : i + backbone.at_once] for i in range(0, len(task.names), backbone.at_once)] or [()]
    for batch, made in ahead(make, batches):
        if not len(output):
            output = np.empty((len(task.names), *made.output.shape[1:]), np.float16)
        output[done : done + len(made.output)] = made.output
        done += len(made.output)
        good += made.names
        sizes += made.sizes
        lost += made.lost
        for problem in made.lost:
            report.problem(problem)
        report.advance(len(batch))
    arrays: dict[str, np.ndarray | list[str]] = {
        "image": good,
        "size": np.array(sizes, np.int32).reshape(-1, 2),
        "backbone": output[:done],
    }
    write_features(task.path(job.folder), task.kind, task.key, arrays, lost)


_SHARDS: dict[str, Callable[[_Job, _Task, Report], None]] = {SPEECH: _speech_shard, IMAGES: _image_shard}


def _find_weights(job: _Job, engine: Engine) -> None:
    """Before hours of speech, not after them: weights that cannot be had are an error. Kept where they are used."""
    config = job.vision
    if engine is HERE:
        _backbone(config.backbone, config.weights, job.device)
    else:
        load_backbone(config.backbone, config.weights)


@lru_cache(maxsize=1)
def _backbone(name: str, weights: str, device: str) -> Backbone:
    """One for all shards that this process makes."""
    return load_backbone(name, weights, device)


@dataclass(frozen=True)
class _Made:
    """A few pictures' names, sizes and features, and the pairs whose picture could not be read."""

    names: list[str]
    sizes: list[tuple[int, int]]
    output: np.ndarray
    lost: list[Problem]
