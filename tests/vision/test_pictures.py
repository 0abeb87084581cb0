"""Pictures of every mode become the same RGB; every kind of broken file is named in one line."""

from __future__ import annotations

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avterm.errors import BadInput
from avterm.vision import pictures
from avterm.vision.pictures import read_picture, resize


@pytest.fixture
def scene() -> np.ndarray:
    """uint8 (20, 30, 3): red top left, green top right, blue below."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10, :15, 0], pixels[:10, 15:, 1], pixels[10:, :, 2] = 255, 255, 255
    return pixels


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tiff", "webp", "ppm"])
def test_every_lossless_format(tmp_path: Path, scene: np.ndarray, ending: str) -> None:
    Image.fromarray(scene).save(tmp_path / f"a.{ending}", **({"lossless": True} if ending == "webp" else {}))
    found = read_picture(tmp_path / f"a.{ending}")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, scene)


@pytest.mark.parametrize(("mode", "ending", "near"), [
    ("CMYK", "tiff", 2), ("CMYK", "jpg", 60), ("P", "png", 0), ("RGBA", "png", 0), ("YCbCr", "jpg", 60),
])  # fmt: skip
def test_every_colour_mode(tmp_path: Path, scene: np.ndarray, mode: str, ending: str, near: int) -> None:
    image = Image.fromarray(scene).convert(mode)
    image.save(tmp_path / f"a.{ending}")
    found = read_picture(tmp_path / f"a.{ending}")
    assert found.shape == scene.shape
    assert np.abs(found[2:8, 2:12].astype(int) - scene[2:8, 2:12]).max() <= near


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_exif_says(tmp_path: Path, scene: np.ndarray, orientation: int) -> None:
    turned = [scene, scene[:, ::-1], scene[::-1, ::-1], scene[::-1], scene.swapaxes(0, 1),
              np.rot90(scene, 1), np.rot90(scene, 2).swapaxes(0, 1), np.rot90(scene, -1)]  # fmt: skip
    stored = turned[orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), scene)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(found[..., 0], found[..., 2])
    assert np.abs(found[..., 0].astype(float) - values / 257).max() <= 1


def test_grey_and_one_bit(tmp_path: Path) -> None:
    grey = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, 2))
    Image.fromarray(grey > 100).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "bits.png")[..., 1], np.where(grey > 100, 255, 0))


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = [255, 0, 0, 255]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png")
    assert (found[:2] == [255, 0, 0]).all()
    assert (found[2:] == 255).all()


def test_the_first_frame_of_an_animation(tmp_path: Path, scene: np.ndarray) -> None:
    frames = [Image.fromarray(scene), Image.fromarray(scene[::-1].copy())]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.gif"), scene)


def vast_png(side: int) -> bytes:
    """A PNG of a few bytes whose header promises `side` x `side` pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "no such file"), ("folder", "found a folder"), ("nul", "bad"), ("empty", "empty"),
        ("text", "no known picture format"), ("pixel", "1 x 1 pixels"), ("line", "40 x 1 pixels"),
        ("truncated png", "damaged"), ("truncated jpg", "damaged"), ("vast", "too many pixels"),
        ("bomb", "too many pixels"), ("garbage in the middle", "damaged"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str, says: str) -> None:
    path = tmp_path / "bad picture.png"
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    if name == "folder":
        path.mkdir()
    elif name == "nul":
        path = tmp_path / "bad\0.png"
    elif name in ("empty", "text", "vast", "bomb"):
        path.write_bytes(
            {"empty": b"", "text": b"hello " * 50, "vast": vast_png(60_000), "bomb": vast_png(12_000)}[name]
        )
    elif name in ("pixel", "line"):
        Image.fromarray(noise[:1, : 1 if name == "pixel" else 40]).save(path)
    elif name != "missing":
        Image.fromarray(noise).save(path, "JPEG" if "jpg" in name else "PNG")
        data = bytearray(path.read_bytes())
        if "garbage" in name:
            data[200:2000] = bytes(1800)
        path.write_bytes(bytes(data if "garbage" in name else data[: len(data) // 2]))
    with pytest.raises(BadInput, match=says) as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: np.ndarray) -> None:
    Image.fromarray(scene).save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "MOST_PIXELS", 599)
    with pytest.raises(BadInput, match="30 x 20 pixels; at most 599"):
        read_picture(tmp_path / "a.png")


def test_resize_is_pillows_and_writable(scene: np.ndarray) -> None:
    small = resize(scene, 7, 5)
    expected = np.asarray(Image.fromarray(scene).resize((7, 5), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(small, expected)
    assert small.flags.writeable


def test_threads_leave_the_warning_filters_alone(tmp_path: Path, scene: np.ndarray) -> None:
    Image.fromarray(scene).save(tmp_path / "a.png")
    (tmp_path / "vast.png").write_bytes(vast_png(12_000))
    before = list(warnings.filters)

    def read(i: int) -> bool:
        try:
            return bool(read_picture(tmp_path / ("a.png" if i % 3 else "vast.png")).size)
        except BadInput:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(90))) == [bool(i % 3) for i in range(90)]
    assert list(warnings.filters) == before
