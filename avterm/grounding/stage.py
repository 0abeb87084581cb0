"""`avterm ground`: groundings of every pair, shard by shard (section 4)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avterm.config import GroundingConfig, fingerprint
from avterm.corpus.manifest import Pair
from avterm.errors import BadInput, ConfigError, Problem, StoreError
from avterm.grounding.borders import refine_borders
from avterm.grounding.proposals import box_proposals, segment_proposals, silence_shares
from avterm.grounding.roads import ExactRoad, Road, SharedRoad, Source
from avterm.grounding.selection import select
from avterm.model.checkpoint import load_model
from avterm.model.pair import PairModel
from avterm.progress import Progress
from avterm.store.groundings import KIND, Groundings, PairGroundings, shard_path, write_groundings
from avterm.store.run import Run
from avterm.store.shards import verify
from avterm.training.device import choose_device
from avterm.vision.backbones import load_backbone
from avterm.vision.pictures import read_picture


@dataclass(frozen=True)
class Grounded:
    """The groundings of one pair with both embeddings, and its proposals' best score each (for comparing roads)."""

    found: PairGroundings
    speech: np.ndarray  # float32 (rows, D)
    image: np.ndarray  # float32 (rows, D)
    segments: np.ndarray  # int64 (S, 2) all proposals
    best: np.ndarray  # float32 (S,) each proposal's score with its best box


class Grounder:
    """Grounds pairs of a run with its best checkpoint."""

    def __init__(self, run: Run, config: GroundingConfig, device: torch.device) -> None:
        """Load what the road needs: the model always, the backbone only where stored maps are not enough."""
        if config.road not in {"exact", "shared"}:
            raise ConfigError(f"grounding.road: expected exact or shared, found {config.road!r}")
        self.run, self.config, self.device = run, config, device
        self.model: PairModel = load_model(run.path / "checkpoints" / "best.safetensors", device)
        vision = run.config.vision
        self.stored_maps = config.road == "shared" and vision.output == "grid"
        linear = vision.backbone != "vgg16"
        backbone = None
        if not (self.stored_maps and linear):
            backbone = load_backbone(vision.backbone, vision.weights, device)
        if config.road == "exact" and backbone is not None:
            self.road: Road = ExactRoad(self.model, backbone, vision.pixels if vision.output == "grid" else 224)
        else:
            self.road = SharedRoad(self.model, backbone, vision.pixels, linear)

    def ground(self, pair: Pair) -> Grounded | Problem:
        """All of section 4 for one pair; a Problem where it has no proposals or cannot be read."""
        store, config = self.run.features, self.config
        if pair.id not in store.row:
            return Problem(pair.id, "no-speech-features", "its recording could not be read or has no fitting length")
        if pair.image not in store.image_row:
            return Problem(pair.id, "no-picture-features", "its picture could not be read")
        mel = store.mel(pair.id).astype(np.float32)
        segments = segment_proposals(len(mel), config)
        if not len(segments):
            return Problem(
                pair.id, "no-segments", f"caption of {len(mel)} frames; at least {config.segment_min} are needed"
            )
        row = store.image_row[pair.image]
        width, height = (int(v) for v in store.sizes[row])
        boxes = box_proposals(width, height, config)
        if not len(boxes):
            return Problem(pair.id, "no-boxes", f"picture of {width} x {height} pixels allows no box of the grid")
        try:
            picture = None if self.stored_maps else read_picture(self.run.corpus.image_path(pair))
        except BadInput as error:
            return Problem(pair.id, "unreadable-picture", str(error))
        source = Source(mel, store.backbone[row] if self.stored_maps else None, picture)
        return self._select(pair, source, segments, boxes, (width, height), store.active(pair.id))

    def _select(
        self,
        pair: Pair,
        source: Source,
        segments: np.ndarray,
        boxes: np.ndarray,
        size: tuple[int, int],
        active: np.ndarray,
    ) -> Grounded:
        config = self.config
        with torch.inference_mode():
            speech = self.road.segments(source, segments)  # (S, D)
            image = self.road.boxes(source, boxes / config.grid)  # (N, D)
            scores = (speech @ image.T).cpu().numpy()  # (S, N)
            chosen = select(scores, segments, silence_shares(active, segments), config)
            kept = segments[chosen.segment]
            kept_speech, kept_image = speech[chosen.segment], image[chosen.box]
            score = chosen.score
            if config.borders == "adaptive" and isinstance(self.road, SharedRoad) and len(kept):
                kept = refine_borders(self.model, source.mel, active, kept, kept_image)
                kept_speech = self.road.segments(source, kept)
                score = (kept_speech * kept_image).sum(1).cpu().numpy()
        found = PairGroundings(
            id=pair.id,
            first=0,
            size=size,
            frames=len(source.mel),
            box=(boxes[chosen.box] / config.grid).astype(np.float32),
            segment=kept.astype(np.int32),
            score=score.astype(np.float32),
            silence=silence_shares(active, kept),
        )
        best = scores.max(1)
        return Grounded(found, kept_speech.cpu().numpy(), kept_image.cpu().numpy(), segments, best)


@dataclass(frozen=True)
class GroundSummary:
    """What grounding gave."""

    pairs: int
    groundings: int
    made: int
    kept: int
    seconds: float
    left_out: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the run's stages; without what differs from run to run."""
        return {"pairs": self.pairs, "groundings": self.groundings, "left_out": len(self.left_out)}


def grounding_fingerprint(run: Run) -> str:
    """Changes with the settings, the pairs, and the model."""
    config = asdict(run.config.grounding)
    trained = run.stage("train")
    if trained is None and not (run.path / "checkpoints" / "best.safetensors").exists():
        raise StoreError(f"{run.path}: no trained model here; train one with `avterm train {run.path}`")
    return fingerprint("ground", config, run.corpus.fingerprint, trained["fingerprint"] if trained else "unfinished")


def ground(
    run: Run,
    progress: Progress,
    shard: tuple[int, int] | None = None,
    redo: bool = False,
    device: str = "auto",
) -> GroundSummary:
    """Ground the run's pairs of `grounding.splits`, `pairs_per_shard` a shard; shards that are there are kept.

    StoreError where the run holds groundings of other settings or another model and not `redo`.
    """
    config, folder = run.config.grounding, run.path / "groundings"
    key = grounding_fingerprint(run)
    pairs = run.corpus.split(*config.splits)
    if not pairs:
        raise BadInput(f"{run.corpus_path}: no pair of split {' or '.join(config.splits)}; see `avterm corpus show`")
    blocks = [pairs[i : i + config.pairs_per_shard] for i in range(0, len(pairs), config.pairs_per_shard)]
    mine = [n for n in range(len(blocks)) if shard is None or n % shard[1] == shard[0]]
    todo = [n for n in mine if not _is_there(shard_path(folder, n), key, redo)]
    began = time.monotonic()
    if todo:
        run.unfinish("ground")
        grounder = Grounder(run, config, choose_device(device))
        with progress.step("ground", sum(len(blocks[n]) for n in mine), done=_done(blocks, mine, todo)) as step:
            for number in todo:
                _write_block(shard_path(folder, number), key, _each(grounder, blocks[number], step, progress), config)
    if shard is not None:
        return GroundSummary(0, 0, len(todo), len(mine) - len(todo), time.monotonic() - began)
    for stale in [p for p in folder.glob("?????.h5") if int(p.stem) >= len(blocks)]:
        stale.unlink()
    store = Groundings(folder)
    seconds = time.monotonic() - began
    summary = GroundSummary(store.pair_count, len(store), len(todo), len(mine) - len(todo), seconds, store.left_out())
    run.finish("ground", key, summary.as_dict())
    return summary


def _done(blocks: Sequence[Sequence[Pair]], mine: list[int], todo: list[int]) -> int:
    return sum(len(blocks[n]) for n in mine if n not in todo)


def _each(grounder: Grounder, pairs: Sequence[Pair], step: Any, progress: Progress) -> Iterator[Grounded | Problem]:
    for pair in pairs:
        result = grounder.ground(pair)
        if isinstance(result, Grounded) and not len(result.found):
            result = Problem(pair.id, "nothing-kept", "no segment scores above 0 with speech in it")
        if isinstance(result, Problem):
            progress.problem(result)
        step.advance()
        yield result


def _is_there(path: Path, key: str, redo: bool) -> bool:
    if not path.exists():
        return False
    try:
        header = verify(path, KIND)
    except StoreError:
        if redo:
            return False
        raise
    if header.fingerprint == key:
        return True
    if redo:
        return False
    raise StoreError(f"{path}: grounded with other settings or another model; give --redo to replace the groundings")


def _write_block(path: Path, key: str, results: Iterator[Grounded | Problem], config: GroundingConfig) -> None:
    good: list[Grounded] = []
    lost: list[Problem] = []
    for result in results:
        if isinstance(result, Problem):
            lost.append(result)
        else:
            good.append(result)
    found = [g.found for g in good]
    counts = np.array([len(f) for f in found], np.int64)
    dtype = np.dtype(config.dtype)

    def stack(parts: list[np.ndarray], width: tuple[int, ...], kind: Any) -> np.ndarray:
        return np.concatenate(parts).astype(kind) if parts else np.zeros((0, *width), kind)

    depth = good[0].speech.shape[1] if good else 1
    arrays: dict[str, np.ndarray | list[str]] = {
        "id": [f.id for f in found],
        "offset": np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        "size": np.array([f.size for f in found], np.int32).reshape(-1, 2),
        "frames": np.array([f.frames for f in found], np.int32),
        "box": stack([f.box for f in found], (4,), np.float32),
        "segment": stack([f.segment for f in found], (2,), np.int32),
        "score": stack([f.score for f in found], (), np.float32),
        "silence": stack([f.silence for f in found], (), np.float32),
        "speech_embedding": stack([g.speech for g in good], (depth,), dtype),
        "image_embedding": stack([g.image for g in good], (depth,), dtype),
    }
    write_groundings(path, key, arrays, lost)
