"""Pictures and recordings."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from avterm.speech.audio import duration, read_audio
from avterm.vision.pictures import read_picture
from tests.robust.mutations import ESCAPED
from tests.robust.targets import Target

POSTSCRIPT = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n(../../{ESCAPED}) (w) file\nshowpage\n".encode()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, pixels: bytes, *more: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG file with whatever header and chunks."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")


def loop(path: Path) -> None:
    """A symbolic link to itself."""
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


def endless(path: Path) -> None:
    """A link to a device that never ends."""
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    """A folder where a file should be."""
    path.mkdir()


def sparse(path: Path) -> None:
    """8 TiB of nothing."""
    with path.open("wb") as file:
        file.truncate(1 << 43)


NOT_FILES = (loop, pipe, endless, folder, sparse)


class Pictures(Target):
    """Whatever Pillow opens."""

    def make(self) -> None:
        """A small picture in every format, and pictures that claim or unfold to very many pixels."""
        rng = np.random.default_rng(0)
        picture = Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8))
        exif = picture.getexif()
        exif[0x0112] = 6
        kinds = {
            "jpg": "JPEG",
            "png": "PNG",
            "gif": "GIF",
            "webp": "WEBP",
            "tif": "TIFF",
            "bmp": "BMP",
            "ppm": "PPM",
            "ico": "ICO",
            "tga": "TGA",
            "jp2": "JPEG2000",
        }
        for ending, kind in kinds.items():
            data = io.BytesIO()
            picture.save(data, kind, **({"exif": exif} if kind in {"JPEG", "PNG", "WEBP"} else {}))
            self.seeds[f"a.{ending}"] = data.getvalue()
        text = zlib.compress(b"\0" * (256 << 20))
        self.by_hand = [
            ("huge.png", png(2**31 - 1, 2**31 - 1, b"")),
            ("large.png", png(30_000, 30_000, b"\0" * 1000)),
            ("bomb.png", png(9_000, 9_000, b"\0" * (9_000 * 27_001))),
            ("thin.png", png(1 << 30, 1, b"\0" * 1000)),
            ("zero.png", png(0, 0, b"")),
            ("text.png", png(4, 4, b"\0" * 52, _chunk(b"zTXt", b"Comment\0\0" + text))),
            ("profile.png", png(4, 4, b"\0" * 52, _chunk(b"iCCP", b"x\0\0" + text))),
            ("deep.png", png(4, 4, b"\0" * 52, depth=16, colour=0)),
            (
                "huge.bmp",
                b"BM"
                + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0),
            ),
            ("huge.ppm", b"P6 99999999 99999999 255\n"),
            ("huge.gif", b"GIF89a\xff\xff\xff\xff\0\0\0" + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\0;"),
            ("a.eps", POSTSCRIPT),
            ("a\x1b[2J\x07\u202e.png", b"nothing"),
            *((f"{make.__name__}.png", make) for make in NOT_FILES),
        ]

    def read(self, path: Path) -> list[str] | None:
        """As the features stage does."""
        pixels = read_picture(path)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise TypeError(f"a picture of {pixels.dtype} {pixels.shape}")
        return None


class Sounds(Target):
    """Whatever libsndfile and miniaudio open."""

    def make(self) -> None:
        """A short sound in every format, and headers that promise what is not there."""
        sound = np.random.default_rng(0).normal(0, 0.1, 4_000)
        kinds = {
            "wav": ("WAV", "PCM_16"),
            "f.wav": ("WAV", "FLOAT"),
            "u.wav": ("WAV", "ULAW"),
            "flac": ("FLAC", "PCM_16"),
            "ogg": ("OGG", "VORBIS"),
            "mp3": ("MP3", "MPEG_LAYER_III"),
            "aiff": ("AIFF", "PCM_16"),
            "opus": ("OGG", "OPUS"),
            "w64": ("W64", "PCM_16"),
        }
        for ending, (kind, subtype) in kinds.items():
            data = io.BytesIO()
            soundfile.write(data, sound, 16_000, format=kind, subtype=subtype)
            self.seeds[f"a.{ending}"] = data.getvalue()
        flac = bytearray(self.seeds["a.flac"])
        flac[21:26] = b"\xff" * 5  # STREAMINFO: 2^36 samples
        self.by_hand = [
            ("endless.flac", bytes(flac)),
            *(
                (f"{rate}-{channels}-{bits}.wav", self._wav(rate, channels, bits, promised))
                for rate in (0, 1, 16_000, 2**32 - 1)
                for channels in (0, 1, 65_535)
                for bits, promised in ((16, 2**31 - 8), (0, 1000), (64, 2**32 - 1))
            ),
            ("chunks.wav", b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 5000),
            ("a\x1b[2J\x07\u202e.wav", b"nothing"),
            *((f"{make.__name__}.wav", make) for make in NOT_FILES),
        ]

    @staticmethod
    def _wav(rate: int, channels: int, bits: int, promised: int) -> bytes:
        form = struct.pack("<HHIIHH", 1, channels, rate, 0, 0, bits)
        head = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", 16) + form
        return head + b"data" + struct.pack("<I", promised & 0xFFFFFFFF) + b"\0\1" * 4000

    def read(self, path: Path) -> list[str] | None:
        """As the features stage and `corpus show` do."""
        samples = read_audio(path, longest=600.0)
        if samples.dtype != np.float32 or samples.ndim != 1 or not np.isfinite(samples).all():
            raise TypeError(f"a recording of {samples.dtype} {samples.shape}")
        duration(path)
        return None
