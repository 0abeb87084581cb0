"""The two roads from proposals to embeddings (section 4).

exact: each crop and each segment goes through its network alone, as in the paper.
shared: the networks run once over the whole picture and the whole caption; each proposal is pooled from their output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from avterm.engine.ahead import ahead
from avterm.model.pair import PairModel
from avterm.vision.backbones import Backbone
from avterm.vision.crops import crops
from avterm.vision.pictures import resize
from avterm.vision.regions import mean_regions

CROPS_CUT = 128  # crops that are in memory at a time
SEGMENTS_AT_ONCE = {"cpu": 32, "cuda": 512}


@dataclass(frozen=True)
class Source:
    """One pair as the roads see it.

    mel: float32 (frames, mels) raw log-mel. map: the backbone's stored output, (h, w, C), or None where only the
    picture itself will do. picture: uint8 (H, W, 3), or None where the map is enough.
    """

    mel: np.ndarray
    map: np.ndarray | None
    picture: np.ndarray | None


@dataclass(frozen=True)
class Spoken:
    """What a caption's segments are embedded from: output frames, and what goes into the layer that makes them.

    output: (T', D). sound: (T', C). On the exact road both are the spectrogram, (frames, mels).
    """

    output: Tensor
    sound: Tensor


class Road(Protocol):
    """Embeddings of the proposals of one pair, on the model's device."""

    def frames(self, mels: Sequence[np.ndarray]) -> list[Spoken]:
        """float32 (frames, mels) of some captions → what each one's segments are embedded from."""

    def segments(self, spoken: Spoken, segments: np.ndarray) -> Tensor:
        """What `frames` gave for a caption, int64 (S, 2) in mel frames → (S, D)."""

    def sounds(self, spoken: Spoken, segments: np.ndarray) -> Tensor:
        """The same → (S, C): how each segment sounds, the mean of what goes into the last layer."""

    def boxes(self, source: Source, boxes: np.ndarray) -> Tensor:
        """float (N, 4) fractions of the picture → (N, D)."""


class ExactRoad:
    """Every proposal alone through its network: what the paper does."""

    def __init__(self, model: PairModel, backbone: Backbone, pixels: int, cells: bool) -> None:
        """`pixels`: side of the square that each crop is resized to.

        `cells`: the model was trained on the backbone's map, cell by cell, not on its vector.
        """
        self.model, self.pixels, self._at_once = model, pixels, backbone.at_once
        self._features = backbone.map if cells else backbone.vector

    def frames(self, mels: Sequence[np.ndarray]) -> list[Spoken]:
        """The spectrograms themselves."""
        there = [torch.from_numpy(mel).to(self.model.mel_mean.device) for mel in mels]
        return [Spoken(mel, mel) for mel in there]

    def segments(self, spoken: Spoken, segments: np.ndarray) -> Tensor:
        """Segments of one length go through the speech branch as one batch, some at a time."""
        return self._alone(spoken.output, segments, self.model.embed_speech, self.model.config.embedding)

    def sounds(self, spoken: Spoken, segments: np.ndarray) -> Tensor:
        """The same."""
        return self._alone(spoken.sound, segments, self.model.embed_sound, self.model.speech.sound)

    def _alone(
        self, frames: Tensor, segments: np.ndarray, through: Callable[[Tensor, Tensor], Tensor], depth: int
    ) -> Tensor:
        lengths, most = segments[:, 1] - segments[:, 0], SEGMENTS_AT_ONCE.get(frames.device.type, 32)
        batches = []
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            batches += np.split(same, range(most, len(same), most))

        def embed(rows: np.ndarray) -> Tensor:
            cut = torch.stack([frames[a:b] for a, b in segments[rows].tolist()])
            true = torch.full((len(rows),), cut.shape[1], device=cut.device)
            return through(cut, true)

        out = torch.empty(len(segments), depth, device=frames.device)
        for rows, embedded in _each(embed, batches, frames.device):
            out[torch.from_numpy(rows).to(out.device)] = embedded
        return out

    def boxes(self, source: Source, boxes: np.ndarray) -> Tensor:
        """Crops are cut and resized, then sent through the backbone, some at a time."""
        if source.picture is None:
            raise ValueError("the exact road needs the picture")
        height, width = source.picture.shape[:2]
        places, device = boxes * [width, height, width, height], self.model.mel_mean.device

        def embed(cut: np.ndarray) -> Tensor:
            return self.model.embed_image(self._features(cut))

        parts: list[Tensor] = []
        for start in range(0, len(places), CROPS_CUT):
            cut = crops(source.picture, places[start : start + CROPS_CUT], self.pixels)
            batches = np.split(cut, range(self._at_once, len(cut), self._at_once))
            parts += [embedded for _, embedded in _each(embed, batches, device)]
        return torch.cat(parts)


class SharedRoad:
    """The networks run once; proposals are pooled by prefix sums over time and by shared spans over the picture.

    Where nothing but a mean follows the backbone's map (`linear`), the trained linear map is applied to its cells
    before pooling, which gives the same and is smaller; where fully connected layers follow, regions are pooled first.
    """

    def __init__(self, model: PairModel, backbone: Backbone | None, pixels: int, linear: bool) -> None:
        """`backbone` may be None where every source carries its map and `linear` holds."""
        self.model, self.backbone, self.pixels, self.linear = model, backbone, pixels, linear

    def frames(self, mels: Sequence[np.ndarray]) -> list[Spoken]:
        """The frames of each caption, from one batch; padding changes nothing."""
        device = self.model.mel_mean.device
        lengths = torch.tensor([len(mel) for mel in mels], device=device)
        batch = pad_sequence([torch.from_numpy(mel) for mel in mels], batch_first=True).to(device)
        output, sound = self.model.hear(batch, lengths)
        true = [-(-len(mel) // self.model.stride) for mel in mels]
        return [
            Spoken(out[:count].float(), heard[:count].float())
            for out, heard, count in zip(output, sound, true, strict=True)
        ]

    def segments(self, spoken: Spoken, segments: np.ndarray) -> Tensor:
        """Means of the output frames."""
        return self.model.finish_speech(self._means(spoken.output, segments))

    def sounds(self, spoken: Spoken, segments: np.ndarray) -> Tensor:
        """Means of the sound frames."""
        return self._means(spoken.sound, segments)

    def _means(self, frames: Tensor, segments: np.ndarray) -> Tensor:
        """(T', D), int64 (S, 2) in mel frames → (S, D).

        Between fractional ends, from prefix sums read once at every distinct end.
        """
        ends, place = np.unique(segments, return_inverse=True)
        first, last = torch.from_numpy(place.reshape(-1, 2).T.copy()).to(frames.device)
        sums = torch.zeros(len(frames) + 1, frames.shape[1], device=frames.device)
        torch.cumsum(frames, 0, out=sums[1:])
        points = torch.from_numpy(ends / self.model.stride).to(frames.device)
        low = points.floor().long().clamp(max=len(sums) - 2)
        read = torch.lerp(sums[low], sums[low + 1], (points - low).clamp(0, 1).float()[:, None])  # (ends, D)
        length = (points[last] - points[first]).float()[:, None]
        return (read[last] - read[first]) / length

    def boxes(self, source: Source, boxes: np.ndarray) -> Tensor:
        """From the stored map where there is one, else from the picture."""
        features, places = self._map(source), torch.from_numpy(np.array(boxes))
        if self.linear:
            return self.model.finish_image(mean_regions(self.model.project(features), places))
        if self.backbone is None:
            raise ValueError("this backbone pools its regions itself and must be loaded")
        return self.model.finish_image(self.model.project(self.backbone.pooled(features, places)))

    def _map(self, source: Source) -> Tensor:
        if source.map is not None:
            return torch.from_numpy(source.map).to(self.model.mel_mean.device).float()
        if source.picture is None or self.backbone is None:
            raise ValueError("the shared road needs the picture's map, or the picture and its backbone")
        return self.backbone.map(resize(source.picture, self.pixels, self.pixels)[None])[0]


def _each(
    make: Callable[[np.ndarray], Tensor], batches: Sequence[np.ndarray], device: torch.device
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """(batch, make(batch)) in order: on a processor a thread a core, each at its own batch; on a GPU one by one."""
    quietly = torch.inference_mode()(make)  # a mode of the thread, not of the process
    return ahead(quietly, batches) if device.type == "cpu" else ((batch, quietly(batch)) for batch in batches)
