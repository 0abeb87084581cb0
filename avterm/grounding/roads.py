"""The two roads from proposals to embeddings (section 4).

exact: each crop and each segment goes through its network alone, as in the paper.
shared: the networks run once over the whole picture and the whole caption; each proposal is pooled from their output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from avterm.model.pair import PairModel
from avterm.vision.backbones import Backbone
from avterm.vision.crops import crops
from avterm.vision.regions import mean_regions

CROPS_AT_ONCE = 32


@dataclass(frozen=True)
class Source:
    """One pair as the roads see it.

    mel: float32 (frames, mels) raw log-mel. map: the backbone's stored output, (h, w, C), or None where only the
    picture itself will do. picture: uint8 (H, W, 3), or None where the map is enough.
    """

    mel: np.ndarray
    map: np.ndarray | None
    picture: np.ndarray | None


class Road(Protocol):
    """Embeddings of the proposals of one pair, on the model's device."""

    def segments(self, source: Source, segments: np.ndarray) -> Tensor:
        """int64 (S, 2) frames → (S, D)."""

    def boxes(self, source: Source, boxes: np.ndarray) -> Tensor:
        """float (N, 4) fractions of the picture → (N, D)."""


class ExactRoad:
    """Every proposal alone through its network: what the paper does."""

    def __init__(self, model: PairModel, backbone: Backbone, pixels: int) -> None:
        """`pixels`: side of the square that each crop is resized to."""
        self.model, self.backbone, self.pixels = model, backbone, pixels

    def segments(self, source: Source, segments: np.ndarray) -> Tensor:
        """Segments of one length go through the speech branch as one batch."""
        mel = torch.from_numpy(source.mel).to(self.model.mel_mean.device)
        out = torch.empty(len(segments), self.model.config.embedding, device=mel.device)
        lengths = segments[:, 1] - segments[:, 0]
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            cut = torch.stack([mel[a:b] for a, b in segments[rows].tolist()])
            true = torch.full((len(rows),), int(length), device=mel.device)
            out[torch.from_numpy(rows).to(mel.device)] = self.model.embed_speech(cut, true)
        return out

    def boxes(self, source: Source, boxes: np.ndarray) -> Tensor:
        """Crops are cut, resized and sent through the backbone in batches."""
        if source.picture is None:
            raise ValueError("the exact road needs the picture")
        height, width = source.picture.shape[:2]
        cut = crops(source.picture, boxes * [width, height, width, height], self.pixels)
        parts = []
        for start in range(0, len(cut), CROPS_AT_ONCE):
            vectors = self.backbone.vector(cut[start : start + CROPS_AT_ONCE])
            parts.append(self.model.finish_image(self.model.project(vectors)))
        return torch.cat(parts)


class SharedRoad:
    """The networks run once; proposals are pooled by prefix sums and summed areas.

    Where the backbone ends in a mean (`linear`), its trained linear map is applied to the cells before pooling, which
    gives the same and is smaller; where fully connected layers follow, regions are pooled first.
    """

    def __init__(self, model: PairModel, backbone: Backbone | None, pixels: int, linear: bool) -> None:
        """`backbone` may be None where every source carries its map and `linear` holds."""
        self.model, self.backbone, self.pixels, self.linear = model, backbone, pixels, linear

    def segments(self, source: Source, segments: np.ndarray) -> Tensor:
        """Means over output frames between fractional ends, from prefix sums."""
        mel = torch.from_numpy(source.mel).to(self.model.mel_mean.device)[None]
        length = torch.tensor([mel.shape[1]], device=mel.device)
        return self.pool_segments(self.model.speech_frames(mel, length)[0], segments)

    def pool_segments(self, frames: Tensor, segments: np.ndarray) -> Tensor:
        """(T', D) output frames of a caption, int64 (S, 2) in mel frames → (S, D)."""
        sums = torch.zeros(len(frames) + 1, frames.shape[1], device=frames.device)
        torch.cumsum(frames.float(), 0, out=sums[1:])
        ends = torch.from_numpy(np.ascontiguousarray(segments)).to(frames.device).double() / self.model.stride
        total = _between(sums, ends[:, 1]) - _between(sums, ends[:, 0])
        return self.model.finish_speech(total / (ends[:, 1:] - ends[:, :1]).float())

    def boxes(self, source: Source, boxes: np.ndarray) -> Tensor:
        """From the stored map where there is one, else from the picture."""
        return self.pool_boxes(self._map(source), boxes)

    def pool_boxes(self, features: Tensor, boxes: np.ndarray) -> Tensor:
        """(h, w, C) map of a picture, float (N, 4) fractions → (N, D)."""
        fractions = torch.from_numpy(np.ascontiguousarray(boxes)).to(features.device)
        if self.linear:
            return self.model.finish_image(mean_regions(self.model.project(features), fractions))
        if self.backbone is None:
            raise ValueError("this backbone pools its regions itself and must be loaded")
        return self.model.finish_image(self.model.project(self.backbone.pooled(features, fractions)))

    def _map(self, source: Source) -> Tensor:
        if source.map is not None:
            return torch.from_numpy(source.map).to(self.model.mel_mean.device).float()
        if source.picture is None or self.backbone is None:
            raise ValueError("the shared road needs the picture's map, or the picture and its backbone")
        from_picture = resized(source.picture, self.pixels)
        return self.backbone.map(from_picture[None])[0]


def resized(picture: np.ndarray, pixels: int) -> np.ndarray:
    """The whole picture as the square that the backbone sees."""
    height, width = picture.shape[:2]
    return crops(picture, np.array([[0, 0, width, height]]), pixels)[0]


def _between(sums: Tensor, place: Tensor) -> Tensor:
    """(T + 1, D) prefix sums read at fractional places (S,) → (S, D)."""
    low = place.floor().long().clamp(max=len(sums) - 2)
    part = (place - low).clamp(0, 1).float()[:, None]
    return torch.lerp(sums[low], sums[low + 1], part)
