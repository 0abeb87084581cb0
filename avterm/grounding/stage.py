"""`avterm ground`: groundings of every pair, shard by shard (section 4)."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avterm.config import fingerprint
from avterm.corpus.manifest import Pair
from avterm.engine.ahead import ahead
from avterm.errors import BadInput, Problem, StoreError
from avterm.grounding.grounder import Grounded, Grounder, check_settings, checkpoint_path
from avterm.progress import Progress, Step
from avterm.store.features import features_fingerprint
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
    return fingerprint("ground", run.config.grounding, run.corpus.fingerprint, features, weights)


def ground(
    run: Run,
    progress: Progress,
    shard: tuple[int, int] | None = None,
    redo: bool = False,
    device: str = "auto",
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
        grounder = Grounder(run, config, choose_device(device))
        total, before = (sum(len(blocks[n]) for n in some) for some in (mine, set(mine) - set(todo)))
        with progress.step("ground", total, done=before) as step:
            for number in todo:
                results = _in_order(grounder, blocks[number], step, progress)
                depth = grounder.model.config.embedding
                _write_block(shard_path(folder, number), key, results, depth, config.dtype)
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


def _in_order(grounder: Grounder, pairs: Sequence[Pair], step: Step, progress: Progress) -> list[Grounded | Problem]:
    """Ground a block in whatever groups go well together; results in the order of `pairs`."""
    results: dict[int, Grounded | Problem] = {}
    for group, found in _grouped(grounder, pairs, grounder.batches(pairs)):
        for place, result in zip(group, found, strict=True):
            if isinstance(result, Grounded) and not len(result.found):
                result = Problem(pairs[place].id, "nothing-kept", "no segment with speech in it scores above 0")
            if isinstance(result, Problem):
                progress.problem(result)
            results[place] = result
        step.advance(len(group))
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


def _write_block(path: Path, key: str, results: list[Grounded | Problem], depth: int, dtype: str) -> None:
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
    write_groundings(path, key, arrays, [r for r in results if isinstance(r, Problem)])


def _embeddings(parts: list[np.ndarray], depth: int, dtype: str) -> np.ndarray:
    whole = np.concatenate([np.zeros((0, depth), np.float32), *parts])
    if dtype == "float16" and np.abs(whole, out=np.empty_like(whole)).max(initial=0) > np.finfo(np.float16).max:
        raise StoreError("embeddings do not fit into float16; give --set grounding.dtype=float32")
    return whole.astype(dtype)
