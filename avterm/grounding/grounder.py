"""Section 4 for a few pairs at a time: proposals, embeddings, scores, selection."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from avterm.config import GroundingConfig
from avterm.corpus.manifest import Pair
from avterm.engine.together import together
from avterm.errors import BadInput, ConfigError, Problem
from avterm.grounding.borders import refine_borders
from avterm.grounding.proposals import box_proposals, segment_proposals, silence_shares
from avterm.grounding.roads import ExactRoad, Road, SharedRoad, Source, Spoken
from avterm.grounding.selection import Selection, score_segments, select_best
from avterm.model.checkpoint import load_model
from avterm.model.pair import PairModel
from avterm.store.features import FeatureStore
from avterm.store.groundings import PairGroundings
from avterm.store.run import Run
from avterm.vision.backbones import load_backbone
from avterm.vision.pictures import read_picture

CROP_PIXELS = 224  # side of the square that each crop is resized to on the exact road (section 4)
_TOGETHER = {"cpu": 4, "cuda": 64}  # captions that go through the speech branch as one batch
_FRAMES_TOGETHER = {"cpu": 8_192, "cuda": 262_144}  # and frames, padding counted


@dataclass(frozen=True)
class Grounded:
    """The groundings of one pair with both embeddings, and its proposals' best score each (for comparing roads)."""

    found: PairGroundings
    speech: np.ndarray  # float32 (rows, D)
    image: np.ndarray  # float32 (rows, D)
    sound: np.ndarray | None  # float32 (rows, C) how each segment sounds, where that was asked for
    segments: np.ndarray  # int64 (S, 2) all proposals
    best: np.ndarray  # float32 (S,) each proposal's score with its best box


@dataclass(frozen=True)
class _Proposed:
    """A pair with its features and all its proposals."""

    pair: Pair
    source: Source
    active: np.ndarray  # uint8 (frames,)
    size: tuple[int, int]
    segments: np.ndarray  # int64 (S, 2) frames
    boxes: np.ndarray  # int64 (N, 4) grid lines


def checkpoint_path(run: Run) -> Path:
    """The weights that grounding uses: those of the best epoch."""
    return run.path / "checkpoints" / "best.safetensors"


def check_settings(config: GroundingConfig) -> None:
    """ConfigError where section 4 cannot be done with these settings."""
    name = "grounding"
    for key, value, known in (
        ("road", config.road, ("exact", "shared")),
        ("borders", config.borders, ("grid", "adaptive")),
        ("dtype", config.dtype, ("float16", "float32")),
    ):
        if value not in known:
            raise ConfigError(f"{name}.{key}: expected {' or '.join(known)}, found {value!r}")
    for key in ("segment_step", "max_kept", "pairs_per_shard", "segment_min"):
        if getattr(config, key) < 1:
            raise ConfigError(f"{name}.{key}: expected 1 or more, found {getattr(config, key)}")
    if not 1 <= config.grid <= 40:
        raise ConfigError(f"{name}.grid: expected 1 to 40 cells a side, found {config.grid}")
    if config.segment_max < config.segment_min:
        raise ConfigError(f"{name}.segment_max: expected {config.segment_min} or more, found {config.segment_max}")
    if not 0 <= config.min_side <= 1:
        raise ConfigError(f"{name}.min_side: expected a share from 0 to 1, found {config.min_side}")
    if not 0 < config.border_height <= 1:
        raise ConfigError(f"{name}.border_height: expected a share above 0, at most 1, found {config.border_height}")
    if not 1 <= config.max_aspect <= 1000:
        raise ConfigError(f"{name}.max_aspect: expected 1 (squares) to 1000, found {config.max_aspect}")
    if config.borders == "adaptive" and config.road == "exact":
        raise ConfigError(f"{name}.borders: adaptive ones follow the shared road's frames; set {name}.road to shared")


class Grounder:
    """Grounds pairs of a run with its best checkpoint. Threads may share one."""

    def __init__(
        self, run: Run, config: GroundingConfig, device: torch.device, store: FeatureStore | None = None
    ) -> None:
        """Load what the road needs: the model always, the backbone only where stored maps are not enough.

        store: features of the pairs that will be asked for; all of the run's if not given.
        """
        check_settings(config)
        self.run, self.config, self.device = run, config, device
        self.pictures = run.corpus_path.resolve().parent
        self.model: PairModel = load_model(checkpoint_path(run), device)
        vision = run.config.vision
        cells = vision.output == "grid"
        linear = cells or vision.backbone != "vgg16"  # else fully connected layers follow the map
        self.stored_maps = config.road == "shared" and cells
        load = partial(load_backbone, vision.backbone, vision.weights, device)
        if config.road == "exact":
            self.road: Road = ExactRoad(self.model, load(), min(vision.pixels, CROP_PIXELS), cells)
        else:
            self.road = SharedRoad(self.model, None if self.stored_maps else load(), vision.pixels, linear)
        self._read(run.features if store is None else store)

    def on(self, store: FeatureStore) -> Grounder:
        """The same with the features of other pairs; nothing is loaded again."""
        other = copy.copy(self)
        other._read(store)
        return other

    def _read(self, store: FeatureStore) -> None:
        self.store = store
        self._lengths = np.diff(store.offsets)
        self._rows = store.row, store.image_row  # read here, before any thread asks

    def batches(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """Places of `pairs` in groups that are best grounded together: captions of like length, memory bounded."""
        rows = self._rows[0]
        length = np.array([self._lengths[rows[p.id]] if p.id in rows else 0 for p in pairs], np.int64)
        most = _TOGETHER.get(self.device.type, 1)
        frames = _FRAMES_TOGETHER.get(self.device.type, 8_192)
        return together(length, most, frames)

    @torch.inference_mode()
    def ground(self, pairs: Sequence[Pair]) -> list[Grounded | Problem]:
        """All of section 4 for each pair, in order; a Problem for one that cannot be read or has no proposals."""
        proposed = [self._propose(pair) for pair in pairs]
        good = [p for p in proposed if isinstance(p, _Proposed)]
        frames = iter(self.road.frames([p.source.mel for p in good]) if good else [])
        return [p if isinstance(p, Problem) else self._select(p, next(frames)) for p in proposed]

    def _propose(self, pair: Pair) -> _Proposed | Problem:
        rows, image_rows = self._rows
        if pair.id not in rows:
            return Problem(pair.id, "no-speech-features", "its recording could not be read or has no fitting length")
        if pair.image not in image_rows:
            return Problem(pair.id, "no-picture-features", f"{pair.image}: could not be read when features were made")
        frames, least = int(self._lengths[rows[pair.id]]), self.config.segment_min
        segments = segment_proposals(frames, self.config)
        if not len(segments):
            return Problem(pair.id, "no-segments", f"caption of {frames} frames; at least {least} are needed")
        row = image_rows[pair.image]
        width, height = (int(v) for v in self.store.sizes[row])
        boxes = box_proposals(width, height, self.config)
        if not len(boxes):
            return Problem(pair.id, "no-boxes", f"picture of {width} x {height} pixels allows no box of the grid")
        try:
            picture = None if self.stored_maps else read_picture(self.pictures / pair.image)
        except BadInput as error:
            return Problem(pair.id, "unreadable-picture", str(error))
        map = self.store.backbone[row] if self.stored_maps else None
        source = Source(self.store.mel(pair.id).astype(np.float32), map, picture)
        return _Proposed(pair, source, self.store.active(pair.id), (width, height), segments, boxes)

    def _select(self, proposed: _Proposed, spoken: Spoken) -> Grounded:
        config, segments = self.config, proposed.segments
        fractions = proposed.boxes / config.grid
        speech = self.road.segments(spoken, segments)  # (S, D)
        image = self.road.boxes(proposed.source, fractions)  # (N, D)
        box, best = score_segments(speech, image)
        chosen = select_best(box, best, segments, silence_shares(proposed.active, segments), config)
        kept, kept_speech, kept_image = segments[chosen.segment], speech[chosen.segment], image[chosen.box]
        if config.borders == "adaptive" and len(kept):
            height = config.border_height
            kept = refine_borders(spoken.output, self.model.stride, proposed.active, kept, kept_image, height)
            kept_speech = self.road.segments(spoken, kept)
            score = (kept_speech * kept_image).sum(1).cpu().numpy()
            order = np.argsort(-score, kind="stable")
            chosen = Selection(chosen.segment[order], chosen.box[order], score[order])
            kept, kept_speech, kept_image = kept[order], kept_speech[order], kept_image[order]
        found = PairGroundings(
            id=proposed.pair.id,
            first=0,
            size=proposed.size,
            frames=len(proposed.source.mel),
            box=fractions[chosen.box].astype(np.float32),
            segment=kept.astype(np.int32),
            score=chosen.score.astype(np.float32),
            silence=silence_shares(proposed.active, kept),
        )
        sound = self.road.sounds(spoken, kept).cpu().numpy() if config.sound else None
        return Grounded(found, kept_speech.cpu().numpy(), kept_image.cpu().numpy(), sound, segments, best)
