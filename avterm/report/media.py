"""Pictures, sounds and spectrograms small enough to lie inside a page, and the budget that they share."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import soundfile
from PIL import Image

from avterm.corpus.manifest import Pair
from avterm.errors import AvtermError, Problem
from avterm.progress import Progress
from avterm.report.style import loudness_range
from avterm.speech.audio import read_audio
from avterm.speech.logmel import log_mel
from avterm.store.run import Run
from avterm.units import SAMPLE_RATE
from avterm.vision.pictures import read_picture

BASE64 = 4 / 3  # what a byte costs in the page
KEPT = 24  # decoded sounds and pictures held at a time

Value = TypeVar("Value")


class Budget:
    """Bytes that media may still take in the page, counted as base64."""

    def __init__(self, size: float) -> None:
        """`size` in bytes of the finished page."""
        self.left = float(size)

    def take(self, *parts: bytes) -> bool:
        """Spend what `parts` need, all of it or nothing; False where they no longer fit."""
        cost = sum(map(len, parts)) * BASE64 + 64
        if cost > self.left:
            return False
        self.left -= cost
        return True


class Media:
    """The pictures, sounds and log-mel frames of a run's pairs; what cannot be read is told once and is None."""

    def __init__(self, run: Run, progress: Progress) -> None:
        """`progress` hears a Problem for each file that cannot be used."""
        self._run, self._progress = run, progress
        self._has_features = any(run.features_path.glob("speech-?????.h5"))
        self._kept: OrderedDict[tuple[str, str], object] = OrderedDict()
        self._told: set[str] = set()

    def picture(self, pair: Pair) -> np.ndarray | None:
        """uint8 (H, W, 3), or None."""
        return self._read("picture", pair.image, pair, lambda: read_picture(self._run.corpus.image_path(pair)))

    def sound(self, pair: Pair) -> np.ndarray | None:
        """float32 (samples,) at 16 kHz, or None."""
        return self._read("sound", pair.speech, pair, lambda: read_audio(self._run.corpus.speech_path(pair)))

    def mel(self, pair: Pair) -> np.ndarray | None:
        """(frames, 40) log-mel energies, from the features where there are any, else from the sound; or None."""
        if self._has_features and pair.id in self._run.features.row:
            return self._run.features.mel(pair.id).astype(np.float32)
        sound = self.sound(pair)
        return None if sound is None else log_mel(sound)

    def _read(self, kind: str, name: str, pair: Pair, read: Callable[[], Value]) -> Value | None:
        key = (kind, name)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]  # type: ignore[return-value]
        try:
            value: Value | None = read()
        except AvtermError as error:
            value = None
            if name not in self._told:
                self._told.add(name)
                self._progress.problem(Problem(pair.id, kind, str(error)))
        self._kept[key] = value
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return value


def encode_picture(picture: np.ndarray, side: int, quality: int) -> bytes:
    """WebP of uint8 (H, W, 3), its longer side at most `side` pixels."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _webp(image, quality)


def encode_sound(samples: np.ndarray) -> bytes:
    """MP3 of float32 (samples,) at 16 kHz, some 4 kB a second, with 5 ms of fade at both ends against clicks."""
    sound = np.clip(np.asarray(samples, np.float32), -1, 1).copy()
    fade = min(len(sound) // 2, SAMPLE_RATE // 200)
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        sound[:fade] *= ramp
        sound[-fade:] *= ramp[::-1]
    peak = float(np.abs(sound).max(initial=0.0))
    if 0 < peak < 0.5:  # quiet field recordings are heard at the same volume as others
        sound *= min(0.7 / peak, 8.0)
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", SAMPLE_RATE, 1, "MPEG_LAYER_III", format="MP3", compression_level=0.9, bitrate_mode="VARIABLE"
    ) as file:
        file.write(sound)
    return buffer.getvalue()


def encode_spectrogram(mel: np.ndarray, quality: int = 55) -> bytes:
    """Grey WebP of (frames, 40) log-mel energies: a column a frame, low bands at the bottom, loud is bright."""
    values = np.asarray(mel, np.float32)
    finite = np.where(np.isfinite(values), values, 0)
    low, high = loudness_range(finite)
    grey = np.clip((finite - low) / (high - low), 0, 1) * 255
    return _webp(Image.fromarray(grey.T[::-1].round().astype(np.uint8)), quality)


def encode_figure(png: bytes, quality: int = 82) -> bytes:
    """WebP of a PNG."""
    return _webp(Image.open(io.BytesIO(png)).convert("RGB"), quality)


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()
