"""The two branches together (section 3): what a caption and a picture have in common, as one number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avterm.config import ModelConfig
from avterm.errors import ConfigError
from avterm.model.similarity import SIMILARITIES, frame_mask, masked_mean, matchmap_scores
from avterm.model.speech import SpeechBranch


class PairModel(nn.Module):
    """The speech branch, the trained linear map of the image branch, and the normalisation of the mel bands.

    The frozen backbone stays outside: its output is computed once (`avterm.vision.backbones`, the feature store).
    """

    mel_mean: Tensor
    mel_deviation: Tensor
    image_mean: Tensor
    image_deviation: Tensor

    def __init__(self, config: ModelConfig, image_size: int, mels: int = 40) -> None:
        """`image_size` is the length of the backbone's output (4,096 for VGG-16's second fully connected layer)."""
        super().__init__()
        if config.similarity not in SIMILARITIES:
            raise ConfigError(
                f"model.similarity: expected one of {', '.join(SIMILARITIES)}, found {config.similarity!r}"
            )
        if not 0 <= config.image_dropout < 1:
            raise ConfigError(f"model.image_dropout: expected a share from 0 to below 1, found {config.image_dropout}")
        if not config.head_level > 0:
            raise ConfigError(f"model.head_level: expected a number above 0, found {config.head_level}")
        self.config, self.image_size, self.mels = config, image_size, mels
        self.similarity = config.similarity  # that of the moment: `comparing`
        self.speech = SpeechBranch(config, mels)
        self.image = nn.Linear(image_size, config.embedding)
        self.drop_channels = nn.Dropout(config.image_dropout) if config.image_dropout else None
        self.stride = self.speech.stride
        self.log_scale = nn.Parameter(torch.zeros(()))  # of the contrastive loss; the paper's loss leaves it alone
        self.register_buffer("mel_mean", torch.zeros(mels))
        self.register_buffer("mel_deviation", torch.ones(mels))
        self.register_buffer("image_mean", torch.zeros(image_size))
        self.register_buffer("image_deviation", torch.ones(image_size))

    def set_mel_statistics(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """(mels,) mean and deviation of each band over the training split; the deviation only serves `scale_mels`."""
        self.mel_mean.copy_(torch.from_numpy(np.asarray(mean, np.float32)))
        if self.config.scale_mels:
            self.mel_deviation.copy_(torch.from_numpy(np.asarray(deviation, np.float32)))

    def set_image_statistics(self, mean: np.ndarray, variance: np.ndarray, depths: Sequence[int] = ()) -> None:
        """(image_size,) mean and variance of the backbone's output: it comes to mean 0 and, over all, deviation 1.

        depths: how many channels each depth of the backbone has; the last is then heard at `model.head_level`. As the
        image map is linear, that only says which channels it learns from sooner.
        """
        level = np.ones(self.image_size)
        if len(depths) > 1:
            level[-depths[-1] :] = self.config.head_level
        overall = np.sqrt(max(float((variance * np.square(level)).mean()), 1e-6))
        self.image_mean.copy_(torch.from_numpy(np.asarray(mean, np.float32)))
        self.image_deviation.copy_(torch.from_numpy((overall / level).astype(np.float32)))

    def normalise(self, mel: Tensor) -> Tensor:
        """Raw log-mel (..., mels) → mean-normalised, as training saw it."""
        return (mel - self.mel_mean) / self.mel_deviation

    def speech_frames(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, mels) raw log-mel, (B,) true lengths → (B, ceil(T / stride), D), padding zero, before the mean."""
        return self.hear(mel, lengths)[0]

    def hear(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and (B, ceil(T / stride), sound) what the layer before the last makes of each frame."""
        frames, sound = self.speech.hear(self.normalise(mel), lengths)
        if self.config.normalise_speech and self.similarity != "mean":
            frames = F.normalize(frames, dim=-1)
        return frames, sound

    def embed_speech(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, mels) raw log-mel, (B,) true lengths → (B, D): a whole caption, or a segment cut out."""
        frames = self.speech_frames(mel, lengths)
        return self.finish_speech(masked_mean(frames, frame_mask(lengths, frames.shape[1], self.stride)))

    def embed_sound(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """The same → (B, sound): the mean of what goes into the last layer."""
        sound = self.hear(mel, lengths)[1]
        return masked_mean(sound, frame_mask(lengths, sound.shape[1], self.stride))

    def finish_speech(self, means: Tensor) -> Tensor:
        """(N, D) means over frames → (N, D): L2 normalisation as section 3 has it."""
        if self.config.normalise_speech and self.similarity == "mean":
            return F.normalize(means, dim=-1)
        return means

    def project(self, features: Tensor) -> Tensor:
        """(..., image_size) of the backbone → (..., D): the trained linear map."""
        features = (features - self.image_mean) / self.image_deviation
        if self.training and self.drop_channels is not None:
            channels = features.new_ones(len(features), *[1] * (features.ndim - 2), self.image_size)
            features = features * self.drop_channels(channels)
        cells = self.image(features)
        if self.config.normalise_image and self.similarity != "mean":
            cells = F.normalize(cells, dim=-1)
        return cells

    def finish_image(self, means: Tensor) -> Tensor:
        """(N, D) means over cells → (N, D): L2 normalisation where configured; the paper has none."""
        if self.config.normalise_image and self.similarity == "mean":
            return F.normalize(means, dim=-1)
        return means

    def embed_image(self, features: Tensor) -> Tensor:
        """(B, image_size) or (B, H, W, image_size) of the backbone → (B, D).

        Plain means of cells are taken before the map, which is linear: a hundredth of the work for 10 × 10 cells.
        """
        if features.ndim > 2 and self.similarity == "mean":
            features = features.mean((1, 2))
        cells = self.project(features)
        return self.finish_image(cells if cells.ndim == 2 else cells.mean((1, 2)))

    @contextmanager
    def comparing(self, similarity: str) -> Iterator[None]:
        """Within it, captions and pictures are compared, and so normalised, another way than they are configured."""
        kept, self.similarity = self.similarity, similarity
        try:
            yield
        finally:
            self.similarity = kept

    def scores(
        self, mel: Tensor, lengths: Tensor, features: Tensor, gather: Callable[[Tensor], Tensor] = lambda part: part
    ) -> Tensor:
        """(B, T, mels), (B,), (C, …) backbone output → (B, C): every caption with every picture.

        `gather` may add the pictures of other processes, once they are embedded (or projected): C is then theirs too.
        """
        if self.similarity == "mean":
            return self.embed_speech(mel, lengths) @ gather(self.embed_image(features)).T
        frames = self.speech_frames(mel, lengths)
        return self.match(frames, lengths, gather(self.project(features)))

    def match(self, frames: Tensor, lengths: Tensor, cells: Tensor) -> Tensor:
        """(B, T', D) output frames, (B,) lengths in mel frames, (C, H, W, D) cells → (B, C) by the match map."""
        mask = frame_mask(lengths, frames.shape[1], self.stride)
        return matchmap_scores(frames, mask, cells.flatten(1, -2), self.similarity)
