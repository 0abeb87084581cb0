"""Recordings in: any sample rate, any number of channels, WAV, FLAC, OGG or MP3 → mono float32 at one rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import miniaudio
import numpy as np
import soundfile
import soxr

from avterm.errors import BadInput
from avterm.speech.wave import read_to_the_end, wave_header
from avterm.store.incoming import existing_file
from avterm.units import SAMPLE_RATE

LONGEST_SECONDS = 6 * 3600.0  # a header that promises more is not believed
MOST_BYTES = 4 << 30
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
_BLOCK_VALUES = 1 << 20  # decoded at a time, all channels together
_LARGEST_PAGE = 65_307  # bytes of an Ogg page
_LOST = 0.05  # seconds: a decoder's own delay, not a truncation


def read_audio(path: str | Path, rate: int = SAMPLE_RATE, longest: float = LONGEST_SECONDS) -> np.ndarray:
    """float32 (samples,): the mean of all channels, resampled to `rate` by soxr at high quality.

    Raises BadInput, in one line, where the file is missing, empty, of no known format, truncated, longer than
    `longest` seconds (known from its header, before anything is decoded, or as soon as so much is), or holds values
    that are not finite. A WAV whose header does not know its length (0, or all ones, as streams write) is read to
    the end of the file.
    """
    path = existing_file(path, "a recording", MOST_BYTES)
    samples, found = _decode(path, longest)
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


def _decode(path: Path, longest: float) -> tuple[np.ndarray, int]:
    """Mono samples at the file's own rate, and that rate."""
    header = wave_header(path)
    try:
        samples, rate, promised = _by_soundfile(path, longest)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, MemoryError, OSError) as error:
        samples, rate, promised = _by_miniaudio(path, longest, error)
    if header is not None and header.promised is not None:
        promised = header.promised
    elif header is not None and header.sample_kind is not None and not len(samples):
        _refuse_longer(path, (header.file_bytes - header.data_at) / (header.rate * header.frame_bytes), longest)
        samples, promised = read_to_the_end(path, header), 0
    if not _ogg_ends(path):
        raise BadInput(f"{path}: truncated: its last page is missing, {len(samples) / rate:.2f} s are there")
    if len(samples) < promised - _LOST * rate:
        there = f"{len(samples) / rate:.2f} s are there"
        raise BadInput(f"{path}: truncated: its header promises {promised / rate:.2f} s, {there}")
    return samples, rate


def _by_soundfile(path: Path, longest: float) -> tuple[np.ndarray, int, int]:
    """Samples, rate, and how many samples the header promises."""
    with soundfile.SoundFile(str(path)) as file:
        rate, promised = int(file.samplerate), int(file.frames)
        _check_rate(path, rate)
        if promised > LONGEST_SECONDS * rate and file.format in ("MP3", "MPEG"):
            raise ValueError(f"its header promises {promised / rate:.0f} s")
        _refuse_longer(path, promised / rate, LONGEST_SECONDS)
        _refuse_longer(path, promised / rate, longest)
        blocks = list(_mono_blocks(path, file, longest))
        samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
        if file.format in ("MP3", "MPEG"):  # libsndfile counts the frames that are missing as read
            samples = samples[~np.isnan(samples)]
    return samples, rate, promised


def _mono_blocks(path: Path, file: soundfile.SoundFile, longest: float) -> Iterator[np.ndarray]:
    """The mean of the channels, block by block, so that no more than the result is ever held."""
    length = max(_BLOCK_VALUES // file.channels, 1)
    block = np.empty((min(length, max(int(file.frames), 1)), file.channels), np.float32)
    done = 0
    while True:
        block.fill(np.nan)  # what the decoder does not fill must not look like sound
        got = len(file.read(out=block))
        done += got
        _refuse_longer(path, done / file.samplerate, longest)
        if got:
            yield block[:got].mean(1)
        if got < len(block):
            return


def _by_miniaudio(path: Path, longest: float, first: Exception) -> tuple[np.ndarray, int, int]:
    """MP3 files that libsndfile cannot read. Nothing else: a damaged OGG file ends the process in this library."""
    try:
        info = miniaudio.mp3_get_file_info(str(path))
        _check_rate(path, info.sample_rate)
        _refuse_longer(path, info.duration, min(longest, LONGEST_SECONDS))
        decoded = miniaudio.mp3_read_file_f32(str(path))
    except (miniaudio.MiniaudioError, OSError, ValueError, MemoryError):
        raise BadInput(f"{path}: expected WAV, FLAC, OGG or MP3, found something else ({first})") from None
    samples = np.array(decoded.samples, dtype=np.float32).reshape(-1, decoded.nchannels).mean(1)
    return samples, int(decoded.sample_rate), int(info.num_frames)


def _ogg_ends(path: Path) -> bool:
    """Whether an Ogg file's last page says that it is the last; true of every other kind of file."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return True
        file.seek(max(file.seek(0, 2) - _LARGEST_PAGE, 0))
        tail = file.read(_LARGEST_PAGE)
    page = tail.rfind(b"OggS")
    return 0 <= page < len(tail) - 5 and bool(tail[page + 5] & 4)


def _check_rate(path: Path, rate: int) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise BadInput(f"{path}: expected a sample rate of {LOWEST_RATE} to {HIGHEST_RATE} Hz, found {rate}")


def _refuse_longer(path: Path, seconds: float, longest: float) -> None:
    if seconds > longest:
        raise BadInput(f"{path}: {seconds:.0f} s long; at most {longest:.0f} s are read")
