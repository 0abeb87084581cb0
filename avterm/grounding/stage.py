"""`avterm ground`: groundings of every pair, shard by shard (section 4)."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avterm.config import Config, fingerprint
from avterm.corpus.manifest import Pair
from avterm.engine.ahead import ahead
from avterm.engine.mapping import HERE, Engine, Report, Told
from avterm.errors import BadInput, Problem, StoreError
from avterm.grounding.grounder import Grounded, Grounder, check_settings, checkpoint_path
from avterm.progress import Progress
from avterm.store.expected import ExpectedShard, grounding_parts
from avterm.store.features import IMAGES, SPEECH, FeatureStore, features_fingerprint, shard_count, shard_of
from avterm.store.features import shard_paths as feature_paths
from avterm.store.groundings import KIND, left_out_of, shard_path, write_groundings
from avterm.store.run import Run
from avterm.store.shards import read_header, verify
from avterm.training.device import choose_device


@dataclass(frozen=True)
class GroundSummary:
    """What is there after the stage (of this share of the shards, where one was asked for)."""

    pairs: int  # with groundings
    groundings: int
    made: int  # shards computed now
    kept: int  # shards that were there
    seconds: float
    left_out: list[Problem] = field(default_factory=list)

    @property
    def per_pair(self) -> float:
        """Groundings a grounded pair."""
        return self.groundings / self.pairs if self.pairs else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the run's stages; without what differs from run to run."""
        kinds = Counter(problem.kind for problem in self.left_out)
        return {
            "pairs": self.pairs,
            "groundings": self.groundings,
            "per_pair": round(self.per_pair, 4),
            "left_out": len(self.left_out),
            "left_out_by_kind": dict(sorted(kinds.items())),
        }


def grounding_fingerprint(run: Run) -> str:
    """Changes with the settings, the pairs, the features and the weights."""
    try:
        with checkpoint_path(run).open("rb") as file:
            weights = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise StoreError(f"{run.path}: no trained model here; train one with `avterm train {run.path}`") from None
    features = features_fingerprint(run.features_path)
    settings = asdict(run.config.grounding)
    if not settings["sound"]:
        del settings["sound"]  # as before there was a choice: groundings of then are kept
    if settings["border_height"] == 0.8:
        del settings["border_height"]
    return fingerprint("ground", settings, run.corpus.fingerprint, features, weights)


def grounding_parts_of(run: Run) -> list[ExpectedShard]:
    """The shards that `ground` writes for a run, with what they are to be made from. StoreError without a model."""
    key = grounding_fingerprint(run)
    return [replace(part, key=key) for part in grounding_parts(run)]


def ground(
    run: Run,
    progress: Progress,
    shard: tuple[int, int] | None = None,
    redo: bool = False,
    device: str = "auto",
    engine: Engine = HERE,
) -> GroundSummary:
    """Ground the run's pairs of `grounding.splits`, `pairs_per_shard` a shard; shards that are there are kept.

    With `shard` (index, count) only those numbered n with n % count == index; several processes may each make a share
    at the same time, and a last call without `shard` puts the seal on them. Pairs without features, without a segment
    or a box, and those of which nothing is kept are left out and named. StoreError where the run holds groundings of
    other settings, features or weights and not `redo`; BadInput where no pair is of these splits.
    """
    config, folder = run.config.grounding, run.path / "groundings"
    check_settings(config)
    key = grounding_fingerprint(run)
    pairs = run.corpus.split(*config.splits)
    if not pairs:
        raise BadInput(f"{run.corpus_path}: no pair of split {' or '.join(config.splits)}; see `avterm corpus show`")
    blocks = [pairs[i : i + config.pairs_per_shard] for i in range(0, len(pairs), config.pairs_per_shard)]
    mine = [n for n in range(len(blocks)) if shard is None or n % shard[1] == shard[0]]
    done = run.stage("ground")
    trusted = done is not None and done["fingerprint"] == key
    todo = [n for n in mine if not _is_there(shard_path(folder, n), key, redo, trusted)]
    stale = _stale(folder, len(blocks), redo) if shard is None else []
    began = time.monotonic()
    if todo or stale:
        run.save()  # only now that nothing refused them do these settings become the run's own
        run.unfinish("ground")
        vars(run).pop("groundings", None)  # what was opened before is of what was there before
    for path in stale:
        path.unlink()
    if todo:
        job = _Job(folder, run.path, run.corpus_path, run.features_path, run.config, key, device)
        total, before = (sum(len(blocks[n]) for n in some) for some in (mine, set(mine) - set(todo)))
        try:
            with progress.step("ground", total, done=before) as step:
                tasks = _tasks(run, {n: blocks[n] for n in todo})
                deque(engine.map(partial(_ground_block, job), tasks, Told(step, progress), gpu=True), maxlen=0)
        finally:
            _grounders.clear()
    summary = _summary([shard_path(folder, n) for n in mine], len(todo), time.monotonic() - began)
    if shard is None:
        run.finish("ground", key, summary.as_dict())
    return summary


def _is_there(path: Path, key: str, redo: bool, trusted: bool) -> bool:
    if not path.exists():
        return False
    try:  # a finished stage was verified when it finished, and readers verify what they open
        header = read_header(path, KIND) if trusted else verify(path, KIND)
    except StoreError:
        if redo:
            return False
        raise
    if header.fingerprint != key and not redo:
        raise StoreError(
            f"{path}: grounded with other settings, features or weights; give --redo to replace the groundings"
        )
    return header.fingerprint == key


def _stale(folder: Path, blocks: int, redo: bool) -> list[Path]:
    """Shards past the last block: left from more pairs than there are now."""
    paths = [path for path in sorted(folder.glob("?????.h5")) if path.stem.isdigit() and int(path.stem) >= blocks]
    if paths and not redo:
        raise StoreError(f"{paths[0]}: left from other groundings; give --redo to replace the groundings")
    return paths


@dataclass(frozen=True)
class _Job:
    """What every block is grounded with, wherever that is."""

    groundings: Path
    run: Path
    corpus: Path
    features: Path
    config: Config
    key: str
    device: str


@dataclass(frozen=True)
class _Block:
    """The pairs of one shard to be, and the feature shards that hold them; None: not known, all are opened."""

    number: int
    pairs: tuple[Pair, ...]
    features: Mapping[str, Sequence[int]] | None


_grounders: dict[_Job, Grounder] = {}  # of this process: its model is loaded once


def _tasks(run: Run, blocks: Mapping[int, Sequence[Pair]]) -> list[_Block]:
    """Blocks that know their feature shards, so that no worker reads more of the store than its own part."""
    corpus, folder = run.corpus, run.features_path
    picture: dict[str, int] = {}
    for pair in corpus:
        picture.setdefault(pair.image, len(picture))
    expected = {SPEECH: shard_count(len(corpus)), IMAGES: shard_count(len(picture))}
    known = all(len(feature_paths(folder, kind)) == count for kind, count in expected.items())
    tasks = []
    for number, pairs in blocks.items():
        features = {
            SPEECH: sorted({shard_of(corpus.index[pair.id]) for pair in pairs}),
            IMAGES: sorted({shard_of(picture[pair.image]) for pair in pairs}),
        }
        tasks.append(_Block(number, tuple(pairs), features if known else None))
    return tasks


def _ground_block(job: _Job, block: _Block, report: Report) -> None:
    """Make one shard."""
    store = FeatureStore(job.features, block.features)
    if job in _grounders:
        grounder = _grounders[job].on(store)
    else:
        run = Run(job.run, job.corpus, job.features, job.config)
        grounder = Grounder(run, job.config.grounding, choose_device(job.device), store)
        _grounders.clear()
        _grounders[job] = grounder
    results = _in_order(grounder, block.pairs, report)
    _write_block(shard_path(job.groundings, block.number), job.key, results, grounder)


def _in_order(grounder: Grounder, pairs: Sequence[Pair], report: Report) -> list[Grounded | Problem]:
    """Ground a block in whatever groups go well together; results in the order of `pairs`."""
    results: dict[int, Grounded | Problem] = {}
    for group, found in _grouped(grounder, pairs, grounder.batches(pairs)):
        for place, result in zip(group, found, strict=True):
            if isinstance(result, Grounded) and not len(result.found):
                result = Problem(pairs[place].id, "nothing-kept", "no segment with speech in it scores above 0")
            if isinstance(result, Problem):
                report.problem(result)
            results[place] = result
        report.advance(len(group))
    return [results[place] for place in range(len(pairs))]


def _grouped(
    grounder: Grounder, pairs: Sequence[Pair], groups: list[list[int]]
) -> Iterator[tuple[list[int], list[Grounded | Problem]]]:
    """On the shared road a thread a core, each at its own group; on the exact road, or a GPU, all cores at one."""

    def make(group: list[int]) -> list[Grounded | Problem]:
        return grounder.ground([pairs[place] for place in group])

    if grounder.config.road == "shared" and grounder.device.type == "cpu":
        return ahead(make, groups)
    return ((group, make(group)) for group in groups)


def _summary(paths: Sequence[Path], made: int, seconds: float) -> GroundSummary:
    headers = [read_header(path, KIND) for path in paths]
    lost = [
        problem for path, h in zip(paths, headers, strict=True) if h.info["left_out"] for problem in left_out_of(path)
    ]
    pairs, rows = sum(h.info["pairs"] for h in headers), sum(h.rows for h in headers)
    return GroundSummary(pairs, rows, made, len(paths) - made, seconds, lost)


def _write_block(path: Path, key: str, results: list[Grounded | Problem], grounder: Grounder) -> None:
    depth, dtype = grounder.model.config.embedding, grounder.config.dtype
    good = [r for r in results if isinstance(r, Grounded)]
    found = [g.found for g in good]
    arrays: dict[str, np.ndarray | list[str]] = {
        "id": [f.id for f in found],
        "offset": np.cumsum([0, *map(len, found)], dtype=np.int64),
        "size": np.array([f.size for f in found], np.int32).reshape(-1, 2),
        "frames": np.array([f.frames for f in found], np.int32),
        "box": np.concatenate([np.zeros((0, 4), np.float32), *(f.box for f in found)]),
        "segment": np.concatenate([np.zeros((0, 2), np.int32), *(f.segment for f in found)]),
        "score": np.concatenate([np.zeros(0, np.float32), *(f.score for f in found)]),
        "silence": np.concatenate([np.zeros(0, np.float32), *(f.silence for f in found)]),
        "speech_embedding": _embeddings([g.speech for g in good], depth, dtype),
        "image_embedding": _embeddings([g.image for g in good], depth, dtype),
    }
    if grounder.config.sound:
        sounds = [g.sound for g in good if g.sound is not None]
        arrays["sound_embedding"] = _embeddings(sounds, grounder.model.speech.sound, dtype)
    write_groundings(path, key, arrays, [r for r in results if isinstance(r, Problem)])


def _embeddings(parts: list[np.ndarray], depth: int, dtype: str) -> np.ndarray:
    whole = np.concatenate([np.zeros((0, depth), np.float32), *parts])
    if dtype == "float16" and np.abs(whole, out=np.empty_like(whole)).max(initial=0) > np.finfo(np.float16).max:
        raise StoreError("embeddings do not fit into float16; give --set grounding.dtype=float32")
    return whole.astype(dtype)
