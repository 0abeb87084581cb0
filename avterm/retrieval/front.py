"""New recordings and pictures, brought to where the run's own stand: the same front ends, model and road.

What a query goes through is what `avterm features` and `avterm ground` do with a pair, down to the float16 in which
features are stored, so that a pair's own files give the embeddings that its stored features give.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from avterm.corpus.manifest import Pair
from avterm.engine.features import image_features, speech_features
from avterm.errors import BadInput, StoreError
from avterm.grounding.grounder import Grounder
from avterm.grounding.roads import Source, Spoken
from avterm.model.pair import PairModel
from avterm.speech.audio import read_audio
from avterm.store.run import Run
from avterm.units import SAMPLE_RATE, frames_in_samples, seconds_in
from avterm.vision.backbones import Backbone, load_backbone
from avterm.vision.pictures import read_picture, resize

SHORTEST = 10  # frames: what borders of segments are kept apart by, and less than any word


@dataclass(frozen=True)
class Heard:
    """Speech as the feature store has it: float16 (frames, mels) log-mel and uint8 (frames,) activity."""

    mel: np.ndarray
    active: np.ndarray

    @property
    def spoken(self) -> tuple[int, int]:
        """First frame of speech and the frame after the last; everything where no speech is heard."""
        where = np.flatnonzero(self.active)
        return (int(where[0]), int(where[-1]) + 1) if len(where) else (0, len(self.active))


@dataclass(frozen=True)
class Seen:
    """A picture as the feature store has it: the backbone's float16 output (h, w, C) or (C,), and its size in pixels.

    pixels: uint8 (H, W, 3) where the road to boxes wants the picture itself.
    """

    features: np.ndarray
    size: tuple[int, int]
    pixels: np.ndarray | None


class Front:
    """Embeds what is new with a run's best model. Threads may share one."""

    def __init__(self, run: Run, device: torch.device, road: str | None = None) -> None:
        """`road` instead of the run's own. StoreError where the run has no model or no features."""
        config = run.config.grounding
        if road is not None:
            config = dataclasses.replace(config, road=road, borders="grid" if road == "exact" else config.borders)
        self.run, self.config, self.device = run, config, device
        self._grounder = Grounder(run, config, device)
        self.road = self._grounder.road
        self.model: PairModel = self._grounder.model

    @cached_property
    def backbone(self) -> Backbone:
        """The frozen backbone, which only new pictures need."""
        vision = self.run.config.vision
        return load_backbone(vision.backbone, vision.weights, self.device)

    def listen(self, path: Path) -> Heard:
        """A recording of at most `speech.max_seconds`; BadInput where it cannot be read or has no 10 frames."""
        config = self.run.config.speech
        return self.heard(read_audio(path, longest=config.max_seconds), path)

    def heard(self, samples: np.ndarray, path: Path) -> Heard:
        """float32 (samples,) at 16 kHz; BadInput, naming `path`, where they have no 10 frames."""
        if frames_in_samples(len(samples)) < SHORTEST:
            raise BadInput(
                f"{path}: {len(samples) / SAMPLE_RATE:.2f} s of sound; at least {seconds_in(SHORTEST)} s are needed"
            )
        return Heard(*speech_features(samples, self.run.config.speech))

    def look(self, path: Path) -> Seen:
        """A picture; BadInput where it cannot be read, StoreError where the model knows another backbone."""
        vision, picture = self.run.config.vision, read_picture(path)
        square = resize(picture, vision.pixels, vision.pixels)
        features = image_features(self.backbone, square[None], vision)[0]
        if features.shape[-1] != self.model.image_size:
            raise StoreError(
                f"{self.run.path}: its model was trained on {self.model.image_size} values of {vision.backbone}, "
                f"and this version makes {features.shape[-1]}; train the run again to search by new pictures"
            )
        return self._seen(features, (picture.shape[1], picture.shape[0]), picture)

    def heard_of(self, pair: Pair) -> Heard:
        """A pair's caption from the feature store; BadInput where features had to leave it out."""
        store = self.run.features
        if pair.id not in store.row:
            raise BadInput(f"{pair.id}: has no speech features in {store.folder}; its recording was left out")
        return Heard(store.mel(pair.id), store.active(pair.id))

    def seen_of(self, pair: Pair) -> Seen:
        """A pair's picture from the feature store; BadInput where features had to leave it out."""
        store = self.run.features
        if pair.image not in store.image_row:
            raise BadInput(f"{pair.id}: has no picture features in {store.folder}; its picture was left out")
        row = store.image_row[pair.image]
        picture = None if self._grounder.stored_maps else read_picture(self.run.corpus.image_path(pair))
        width, height = (int(v) for v in store.sizes[row])
        return self._seen(store.backbone[row], (width, height), picture)

    def _seen(self, features: np.ndarray, size: tuple[int, int], picture: np.ndarray | None) -> Seen:
        return Seen(features, size, None if self._grounder.stored_maps else picture)

    @torch.inference_mode()
    def frames(self, heard: Heard) -> Spoken:
        """What the road cuts segments from."""
        return self.road.frames([heard.mel.astype(np.float32)])[0]

    @torch.inference_mode()
    def segments(self, spoken: Spoken, segments: np.ndarray) -> np.ndarray:
        """What `frames` gave, int64 (S, 2) mel frames → float32 (S, D)."""
        return self.road.segments(spoken, segments).float().cpu().numpy()

    @torch.inference_mode()
    def sounds(self, spoken: Spoken, segments: np.ndarray) -> np.ndarray:
        """The same → float32 (S, C): how they sound."""
        return self.road.sounds(spoken, segments).float().cpu().numpy()

    @torch.inference_mode()
    def boxes(self, seen: Seen, fractions: np.ndarray) -> np.ndarray:
        """float (N, 4) boxes as fractions of the picture → float32 (N, D)."""
        map = seen.features if self._grounder.stored_maps else None
        source = Source(np.zeros((0, self.model.mels), np.float32), map, seen.pixels)
        return self.road.boxes(source, fractions).float().cpu().numpy()
