"""VGG-16 (section 3) up to the second fully connected layer, in plain torch, with torchvision's parameter names."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url
from torch.nn import functional as F

from avterm.errors import BadInput
from avterm.vision.regions import pool_regions
from avterm.vision.weights import file_identity, fitting, read_weights

_CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)  # 0: max-pool
PUBLISHED = "397923af"  # torchvision's IMAGENET1K_V1
WEIGHTS_URL = f"https://download.pytorch.org/models/vgg16-{PUBLISHED}.pth"


class Vgg16(nn.Module):
    """Thirteen convolutions, five max-pools, two fully connected layers of 4,096."""

    name = "vgg16"
    channels = 512
    vector_size = 4096
    mean = (0.485 * 255, 0.456 * 255, 0.406 * 255)  # ImageNet's, as torchvision trained it
    deviation = (0.229 * 255, 0.224 * 255, 0.225 * 255)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for outputs in _CHANNELS:
            if outputs:
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = outputs
            else:
                layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(),
            nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(),
            nn.Linear(4096, 1000),
        )  # fmt: skip

    def map(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised → (B, S / 16, S / 16, 512): conv5 before its last max-pool."""
        return self.features[:-1](pixels).permute(0, 2, 3, 1)  # type: ignore[no-any-return]

    def head(self, regions: Tensor) -> Tensor:
        """(N, 7, 7, 512) pooled regions → (N, 4096) after the second fully connected layer's ReLU."""
        return self.classifier[:5](regions.permute(0, 3, 1, 2).flatten(1))  # type: ignore[no-any-return]

    def vector(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, 4096): for S = 224 the network as published."""
        pooled = F.adaptive_avg_pool2d(self.features(pixels), 7)
        return self.head(pooled.permute(0, 2, 3, 1))

    def pooled(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(h, w, 512) map, (N, 4) boxes as fractions → (N, 4096).

        Each of the 7 × 7 bins takes the maximum over the map's cells that it touches, as the last max-pool does for a
        whole picture, then the fully connected layers follow.
        """
        return self.head(pool_regions(features, boxes, 7))


def load_vgg16(weights: str = "") -> Vgg16:
    """With published weights from `weights` (a .pth or .safetensors file), or downloaded; "random" for timings.

    BadInput, in one line, where the file is not VGG-16's or cannot be had.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Vgg16()
    if weights == "random":
        return model
    path = Path(weights or WEIGHTS_URL)
    state = read_weights(path, "VGG-16") if weights else _download()
    model.load_state_dict(fitting(state, model.state_dict(), path, "torchvision's VGG-16"))
    return model


def vgg16_identity(weights: str = "") -> str:
    """Tells these weights from others; the published ones are the same whether downloaded or given as a file."""
    if weights == "random":
        return weights
    return file_identity(Path(weights)) if weights else PUBLISHED


def _download() -> dict[str, Tensor]:
    try:
        return load_state_dict_from_url(WEIGHTS_URL, progress=False, check_hash=True, weights_only=True)  # type: ignore[no-any-return]
    except (OSError, RuntimeError) as error:
        raise BadInput(
            f"vgg16: weights could not be downloaded ({str(error)[:100]}); "
            f"fetch {WEIGHTS_URL} and give the file with --set vision.weights=FILE, "
            "or take --preset modern, which needs none"
        ) from None
