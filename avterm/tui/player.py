"""What the app needs of sound, whatever makes it; speed without a change of pitch; segments as WAV files."""

from __future__ import annotations

import hashlib
import re
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from avterm import units
from avterm.store.atomic import replacing

SPEEDS = (0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0)
Ended = Callable[[str | None], None]


class Player(Protocol):
    """Plays one sound at a time, on a thread of its own."""

    def play(self, samples: np.ndarray, loop: bool, ended: Ended) -> None:
        """float32 (samples,) at 16 kHz; `ended(None, or why it could not be played)` when it is over."""

    def stop(self) -> None:
        """End the sound."""

    def close(self) -> None:
        """Let go of the device."""


class Recorder(Protocol):
    """Records until stopped."""

    def start(self) -> str | None:
        """Begin; None, or a line that says why not."""

    def stop(self) -> np.ndarray:
        """float32 (samples,) at 16 kHz."""


@dataclass(frozen=True)
class Sound:
    """How sound is made; the makers are called when the first sound is wanted, so that its library loads then."""

    player: Callable[[], Player]
    recorder: Callable[[], Recorder]


def stretched(samples: np.ndarray, speed: float, rate: int = units.SAMPLE_RATE) -> np.ndarray:
    """`samples` at another speed and the same pitch, by overlapping windows that are shifted to where they fit (WSOLA).

    samples : float32 (n,); speed : above 0, 2 is twice as fast. Returns float32 of about n / speed samples.
    """
    size = units.samples_in(0.032, rate)
    hop, reach = size // 2, size // 4
    if speed == 1.0 or len(samples) < 2 * size:
        return np.asarray(samples, np.float32)
    shape = np.hanning(size).astype(np.float32)
    count = int((len(samples) / speed) // hop)
    padded = np.concatenate([np.zeros(reach), samples, np.zeros(3 * size + reach)]).astype(np.float32)
    out = np.zeros(count * hop + size, np.float32)
    weight = np.zeros_like(out)
    at = reach
    for step in range(count):
        if step:
            follow = padded[at + hop : at + hop + size]  # what would come next at the old speed
            aim = int(step * hop * speed)
            near = np.lib.stride_tricks.sliding_window_view(padded[aim : aim + size + 2 * reach], size)
            at = aim + int(np.argmax(near @ follow)) if len(near) and len(follow) == size else at
        piece = padded[at : at + size]
        if len(piece) < size:
            break
        out[step * hop : step * hop + size] += piece * shape
        weight[step * hop : step * hop + size] += shape
    return (out / np.maximum(weight, 1e-3))[: round(len(samples) / speed)]


def to_int16(samples: np.ndarray) -> np.ndarray:
    """int16 of float samples in [-1, 1]; whatever is not a number is silence."""
    return np.round(np.clip(np.nan_to_num(samples), -1, 1) * 32767).astype(np.int16)


def cut(samples: np.ndarray, start: int, end: int) -> np.ndarray:
    """The samples of the frames [start, end)."""
    hop = units.samples_in(units.HOP_SECONDS)
    return samples[max(start, 0) * hop : max(end, 0) * hop]


def clip_path(folder: Path, id: str, start: int, end: int) -> Path:
    """Where a segment of a pair is written to: a name that any file system takes."""
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", id)[:60].strip("-") or "pair"
    mark = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return folder / f"{slug}-{mark}-{start:05d}-{end:05d}.wav"


def write_wav(path: Path, samples: np.ndarray, rate: int = units.SAMPLE_RATE) -> None:
    """float samples as 16-bit mono, whole or not at all."""
    data = to_int16(samples).astype("<i2").tobytes()
    with replacing(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(data)
