"""A long recording as stretches cut at pauses, each decoded when its turn comes, so that memory stays flat.

A recording of at most LONGEST seconds is one stretch, and is read whole, with all that `read_audio` checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from avterm.errors import BadInput
from avterm.speech.activity import activity
from avterm.speech.audio import duration, read_audio
from avterm.units import HOP_SECONDS, SAMPLE_RATE, frames_in, frames_in_samples, samples_in

LONGEST = 60.0  # seconds
_BLOCK = 10.0  # seconds decoded at a time
_QUIET = 10  # frames over which the level is taken where there is no pause at all


@dataclass(frozen=True)
class Stretch:
    """Part of a recording: its first frame there, float32 (samples,) at 16 kHz, uint8 (frames,) voice activity."""

    first: int
    samples: np.ndarray
    active: np.ndarray


def stretches(path: Path, vad: str) -> Iterator[Stretch]:
    """The recording from start to end without a gap. BadInput where it cannot be read, or ends before its header says.

    Cut in the middle of the longest pause of the second half of LONGEST seconds; where nobody pauses, where it is
    quietest. Formats that cannot be decoded block by block (some MP3) are held whole, at 16 kHz.
    """
    if duration(path) <= LONGEST:
        samples = read_audio(path)
        yield Stretch(0, samples, activity(samples, vad))
        return
    first, held = 0, np.zeros(0, np.float32)
    hop, longest = samples_in(HOP_SECONDS), samples_in(LONGEST)
    for block in _blocks(path):
        held = np.concatenate([held, block])
        while len(held) >= longest:
            window = held[:longest]
            active = activity(window, vad)
            cut = _cut(window, active)
            yield Stretch(first, held[: cut * hop], active[:cut])
            first, held = first + cut, held[cut * hop :]
    if len(held):
        yield Stretch(first, held, activity(held, vad))


def _cut(samples: np.ndarray, active: np.ndarray) -> int:
    """The frame to cut at, in the second half."""
    half = len(active) // 2
    edges = np.flatnonzero(np.diff(np.concatenate([[1], active[half:], [1]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    if len(begins):
        longest = int(np.argmax(ends - begins))
        return half + max(int(begins[longest] + ends[longest]) // 2, 1)
    hop, frames = samples_in(HOP_SECONDS), frames_in_samples(len(samples))
    level = np.square(samples[: frames // _QUIET * _QUIET * hop].reshape(-1, _QUIET * hop)).mean(1)
    begin = half // _QUIET
    return (begin + int(np.argmin(level[begin:]))) * _QUIET + _QUIET // 2


def _blocks(path: Path) -> Iterator[np.ndarray]:
    """float32 (samples,) at 16 kHz, mono, block by block."""
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, RuntimeError, ValueError, OSError):
        file = None
    if file is None or file.format in ("MP3", "MPEG"):  # libsndfile counts missing frames of an MP3 as read
        if file is not None:
            file.close()
        samples = read_audio(path)
        step = samples_in(_BLOCK)
        yield from (samples[i : i + step] for i in range(0, len(samples), step))
        return
    with file:
        yield from _resampled(path, file)


def _resampled(path: Path, file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    rate, promised, done = int(file.samplerate), int(file.frames), 0
    resample = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    while True:
        try:
            block = file.read(samples_in(_BLOCK, rate), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise BadInput(f"{path}: damaged after {done / rate:.1f} s: {error}") from None
        if not np.isfinite(block).all():
            raise BadInput(f"{path}: holds values that are not finite (NaN or infinity)")
        done += len(block)
        last = not len(block)
        if last and done < promised - frames_in(0.05):
            raise BadInput(
                f"{path}: truncated: its header promises {promised / rate:.2f} s, {done / rate:.2f} s are there"
            )
        yield resample.resample_chunk(block.mean(1), last=last)
        if last:
            return
