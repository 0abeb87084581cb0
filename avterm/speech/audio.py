"""Recordings in: any sample rate, any number of channels, WAV, FLAC, OGG or MP3 → mono float32 at one rate."""

from __future__ import annotations

from pathlib import Path

import miniaudio
import numpy as np
import soundfile
import soxr

from avterm.errors import BadInput
from avterm.units import SAMPLE_RATE

LONGEST_SECONDS = 6 * 3600.0  # a header that promises more is not believed
MOST_BYTES = 4 << 30
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000


def read_audio(path: str | Path, rate: int = SAMPLE_RATE) -> np.ndarray:
    """float32 (samples,): the mean of all channels, resampled to `rate` by soxr at high quality.

    Raises BadInput, in one line, where the file is missing, empty, of no known format, truncated to nothing, or holds
    values that are not finite. A WAV whose header lies about its length is read as far as it goes.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise BadInput(f"{path}: no such file")
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be opened: {error}") from None
    if size == 0:
        raise BadInput(f"{path}: is empty (0 bytes)")
    if size > MOST_BYTES:
        raise BadInput(f"{path}: holds {size} bytes; at most {MOST_BYTES} are read")
    try:
        samples, found = _by_soundfile(path)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, MemoryError, OSError) as error:
        samples, found = _by_miniaudio(path, error)
    if not len(samples):
        raise BadInput(f"{path}: holds no samples")
    if not np.isfinite(samples).all():
        raise BadInput(f"{path}: holds values that are not finite (NaN or infinity)")
    if found != rate:
        samples = soxr.resample(samples, found, rate, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def duration(path: str | Path) -> float:
    """Seconds of a recording as its header has it; decoded where the header does not say."""
    try:
        info = soundfile.info(str(path))
        if 0 < info.frames < LONGEST_SECONDS * info.samplerate:
            return float(info.frames / info.samplerate)
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        pass
    return len(read_audio(path)) / SAMPLE_RATE


def _by_soundfile(path: Path) -> tuple[np.ndarray, int]:
    with soundfile.SoundFile(str(path)) as file:
        rate, channels = int(file.samplerate), int(file.channels)
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise BadInput(f"{path}: expected a sample rate of {LOWEST_RATE} to {HIGHEST_RATE} Hz, found {rate}")
        if file.frames > LONGEST_SECONDS * rate:
            raise ValueError(f"header promises {file.frames / rate:.0f} s")
        blocks = []
        for block in file.blocks(blocksize=1 << 20, dtype="float32", always_2d=True):
            blocks.append(block[:, 0] if channels == 1 else block.mean(1))
    return (np.concatenate(blocks) if blocks else np.zeros(0, np.float32)), rate


def _by_miniaudio(path: Path, first: Exception) -> tuple[np.ndarray, int]:
    try:
        info = miniaudio.get_file_info(str(path))
        if not LOWEST_RATE <= info.sample_rate <= HIGHEST_RATE or info.duration > LONGEST_SECONDS:
            raise BadInput(f"{path}: its header promises {info.duration:.0f} s at {info.sample_rate} Hz; not believed")
        decoded = miniaudio.decode_file(
            str(path), miniaudio.SampleFormat.FLOAT32, nchannels=1, sample_rate=info.sample_rate
        )
    except (miniaudio.MiniaudioError, OSError, ValueError, MemoryError):
        raise BadInput(f"{path}: expected WAV, FLAC, OGG or MP3, found something else ({first})") from None
    return np.array(decoded.samples, dtype=np.float32), int(decoded.sample_rate)
