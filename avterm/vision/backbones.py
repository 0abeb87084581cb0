"""The frozen backbones behind one registry: pixels in, features out, no gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from avterm.errors import ConfigError
from avterm.vision.efficientnet import EfficientNetLite0, efficientnet_lite0_identity, load_efficientnet_lite0
from avterm.vision.vgg16 import load_vgg16, vgg16_identity


class Network(Protocol):
    """What a backbone's own module must offer; pixels are (B, 3, S, S), normalised."""

    name: str
    channels: int
    vector_size: int
    mean: tuple[float, float, float]  # of the pixels it was trained on, out of 255
    deviation: tuple[float, float, float]

    def map(self, pixels: Tensor) -> Tensor:
        """(B, h, w, channels)."""

    def vector(self, pixels: Tensor) -> Tensor:
        """(B, vector_size)."""

    def pooled(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(h, w, channels), (N, 4) fractions → (N, vector_size)."""


LOADERS: dict[str, Callable[[str], nn.Module]] = {"vgg16": load_vgg16, "efficientnet-lite0": load_efficientnet_lite0}
_IDENTITIES = {"vgg16": vgg16_identity, "efficientnet-lite0": efficientnet_lite0_identity}
_DEPTHS = {"vgg16": (512,), "efficientnet-lite0": EfficientNetLite0.depths}
_AT_ONCE = {"cpu": 4, "cuda": 64}  # pictures: on a processor more would fall out of its cache


class Backbone:
    """A frozen network with its pixel normalisation, on a device. Takes uint8 pixels as they come from disk."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        """Use `load_backbone`."""
        self.device = device
        self.at_once = _AT_ONCE.get(device.type, 16)  # pictures that are computed together
        network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: Network = network  # type: ignore[assignment]
        self.name, self.channels, self.vector_size = (
            self._network.name,
            self._network.channels,
            self._network.vector_size,
        )
        self._mean = torch.tensor(self._network.mean, device=device)[:, None, None]
        self._scale = 1 / torch.tensor(self._network.deviation, device=device)[:, None, None]

    def map(self, pixels: np.ndarray) -> Tensor:
        """uint8 (B, S, S, 3) → float32 (B, h, w, channels)."""
        return self._batched(self._network.map, pixels)

    def vector(self, pixels: np.ndarray) -> Tensor:
        """uint8 (B, S, S, 3) → float32 (B, vector_size): the exact road."""
        return self._batched(self._network.vector, pixels)

    def pooled(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(h, w, channels) map, (N, 4) boxes as fractions → float32 (N, vector_size): the shared road."""
        with torch.inference_mode():
            return self._network.pooled(features.to(self.device), boxes.to(self.device)).float()

    @torch.inference_mode()
    def _batched(self, compute: Callable[[Tensor], Tensor], pixels: np.ndarray) -> Tensor:
        """`compute` over any number of pictures, so few at a time that memory stays flat; one result."""
        step = self.at_once
        parts = [compute(self._normalised(pixels[i : i + step])).float() for i in range(0, len(pixels), step)]
        if not parts:  # of no pictures: the shape of one, without it
            return compute(self._normalised(np.zeros((1, *pixels.shape[1:]), np.uint8))).float()[:0]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _normalised(self, pixels: np.ndarray) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2)
        return ((batch.float() - self._mean) * self._scale).contiguous(memory_format=torch.channels_last)


def load_backbone(name: str, weights: str = "", device: str | torch.device = "cpu") -> Backbone:
    """A backbone of LOADERS; `weights` is a file, empty for the published ones, or "random" (timings only).

    `device` may be "auto". ConfigError where the name is not known, BadInput where the weights are not this network's
    or cannot be had.
    """
    _check(name)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Backbone(LOADERS[name](weights), torch.device(device))


def depths_of(name: str) -> tuple[int, ...]:
    """How many channels each depth of a backbone's output has, from the first on: one, or several side by side."""
    _check(name)
    return _DEPTHS[name]


def weights_identity(name: str, weights: str = "") -> str:
    """What tells the weights that `load_backbone` would take from others, without loading them."""
    _check(name)
    return _IDENTITIES[name](weights)


def _check(name: str) -> None:
    if name not in LOADERS:
        raise ConfigError(f"vision.backbone: expected one of {', '.join(LOADERS)}, found {name!r}")
