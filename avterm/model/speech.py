"""The speech branches: log-mel frames in, a sequence of embeddings out (section 3).

Each is a stack of one-dimensional convolutions over time with "same" zero padding. What lies beyond a caption's true
end is zeroed after every layer, so that a caption gives the same output alone and in a padded batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avterm.config import ModelConfig
from avterm.errors import ConfigError


@dataclass(frozen=True)
class Layer:
    """One convolution of `channels` filters, `width` frames wide, then ReLU, then a max-pool (0: none) of stride 2."""

    channels: int
    width: int
    pool: int = 0
    stride: int = 1
    residual: bool = False


# Section 3's table; 15,965,568 parameters at full width.
HARWATH_2017 = (Layer(128, 1), Layer(256, 11, 3), Layer(512, 17, 3), Layer(512, 17, 3), Layer(1024, 17))

# Harwath et al. 2016, mean-pool variant, as that paper is remembered: the baseline of Table 1.
HARWATH_2016 = (Layer(64, 5, 4), Layer(512, 25, 4), Layer(1024, 25))

# Our own for small corpora: finer in time (one output frame is 40 ms) and narrower, so that a segment's borders show.
MODERN = (
    Layer(512, 5, 3),
    Layer(512, 9, 3),
    Layer(512, 9, residual=True),
    Layer(512, 9, residual=True),
    Layer(1024, 9),
)

BRANCHES = {"harwath2017": HARWATH_2017, "harwath2016": HARWATH_2016, "modern": MODERN}


def with_filters(layers: tuple[Layer, ...], filters: tuple[int, ...]) -> tuple[Layer, ...]:
    """These layers with filters of other widths, one for each; none given: as they are. ConfigError if not odd.

    What one output hears, all layers together, is what can be learnt by heart at once: as wide as a word, not wider.
    """
    if not filters:
        return layers
    if len(filters) != len(layers) or any(f < 1 or f % 2 == 0 for f in filters):
        raise ConfigError(
            f"model.filters: expected {len(layers)} odd widths, one for each layer of the speech branch, "
            f"found {list(filters)}"
        )
    return tuple(replace(layer, width=width) for layer, width in zip(layers, filters, strict=True))


class FrameNorm(nn.BatchNorm1d):
    """Batch normalisation over true frames only: padding neither counts in the statistics nor is written to.

    `across` sums a statistic over the processes that share a minibatch, with gradients; alone, it is left as it is.
    """

    across: Callable[[Tensor], Tensor] = staticmethod(lambda statistic: statistic)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, C, T) frames and their (B, 1, T) mask of 1 and 0 → (B, C, T), padding zero."""
        if mask is None or not self.training:
            out = super().forward(frames)
            return out if mask is None else out * mask
        values = frames.float()
        count = self.across(mask.sum()).clamp(min=2.0)
        mean = self.across((values * mask).sum((0, 2))) / count
        gaps = (values - mean[:, None]) * mask
        variance = self.across(gaps.square().sum((0, 2))) / count
        with torch.no_grad():
            momentum = self.momentum or 0.1
            self.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * count / (count - 1), momentum)  # type: ignore[union-attr]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scaled = gaps * (torch.rsqrt(variance + self.eps) * self.weight)[:, None]
        return ((scaled + self.bias[:, None]) * mask).to(frames.dtype)


class Block(nn.Module):
    """Convolution, optional normalisation, ReLU, optional dropout and max-pool, all within the mask."""

    def __init__(self, inputs: int, outputs: int, layer: Layer, config: ModelConfig, last: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, layer.width, padding=layer.width // 2, stride=layer.stride)
        self.norm = FrameNorm(outputs) if config.batch_norm and not last else None
        self.drop = nn.Dropout(config.dropout) if config.dropout and not last else None
        self.rectify = not last or config.speech_branch != "modern"
        self.residual = layer.residual and inputs == outputs
        self.pool, self.stride = layer.pool, layer.stride

    def forward(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) and its (B, 1, T) mask → the same, shorter where the layer strides or pools."""
        out = self.conv(frames)
        if self.stride > 1:
            mask = mask[..., :: self.stride]
        out = self.norm(out, mask) if self.norm is not None else out * mask
        if self.residual:
            out = out + frames
        if self.rectify:
            out = F.relu(out)
        if self.drop is not None:
            out = self.drop(out)
        if self.norm is not None:
            out = out * mask
        if self.pool:
            mask = mask[..., ::2]
            out = _pool(out, self.pool) * mask
        return out, mask


def _pool(frames: Tensor, width: int) -> Tensor:
    """Max-pool of this width and stride 2, padded so that T frames become ceil(T / 2)."""
    left = (width - 1) // 2
    return F.max_pool1d(F.pad(frames, (left, width - 1 - left)), width, 2)


class SpeechBranch(nn.Module):
    """One of BRANCHES. Input is normalised log-mel; padding must be given by the lengths."""

    def __init__(self, config: ModelConfig, mels: int = 40) -> None:
        """`config.width` scales the hidden channels; the last layer always has `config.embedding`."""
        super().__init__()
        if config.speech_branch not in BRANCHES:
            raise ConfigError(
                f"model.speech_branch: expected one of {', '.join(BRANCHES)}, found {config.speech_branch!r}"
            )
        layers = with_filters(BRANCHES[config.speech_branch], config.filters)
        blocks, inputs, stride = [], mels, 1
        for i, layer in enumerate(layers):
            last = i == len(layers) - 1
            outputs = config.embedding if last else max(1, round(layer.channels * config.width))
            blocks.append(Block(inputs, outputs, layer, config, last))
            inputs, stride = outputs, stride * layer.stride * (2 if layer.pool else 1)
        self.blocks = nn.ModuleList(blocks)
        self.stride = stride
        self.sound = blocks[-1].conv.in_channels

    def forward(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, mels) normalised frames, (B,) true lengths → (B, ceil(T / stride), embedding), padding zero."""
        return self.hear(mel, lengths)[0]

    def hear(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and (B, ceil(T / stride), sound) what goes into the last layer, which neither strides nor pools:
        nearer to how speech sounds than to what it means."""
        steps = torch.arange(mel.shape[1], device=mel.device)
        mask = (steps[None] < lengths[:, None])[:, None].to(mel.dtype)
        frames = mel.transpose(1, 2) * mask
        sound = frames
        for block in self.blocks:
            sound = frames
            frames, mask = block(frames, mask)
        return frames.transpose(1, 2), sound.transpose(1, 2)
