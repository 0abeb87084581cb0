"""What a WAV file says of itself, read chunk by chunk: to see that one is cut short, and to read one that lies.

Streams write a length of 0 or of all ones, as they cannot know it; one file of Flickr8k Audio has such a header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avterm.errors import BadInput

_UNKNOWN = 0x7FFF_0000  # lengths from here on are a stream's way to say that it does not know
_MOST_CHUNKS = 1000
_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KINDS = {(1, 8): "u1", (1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}


@dataclass(frozen=True, slots=True)
class WaveHeader:
    """The format and data chunks of a WAV file."""

    tag: int  # 1: integers, 3: floats
    channels: int
    rate: int
    bits: int
    data_at: int  # byte offset of the first sample
    data_bytes: int  # as the header has it
    file_bytes: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8

    @property
    def promised(self) -> int | None:
        """Samples a channel that the header promises; None where it does not know, or they are not of plain numbers."""
        if self.tag not in (_INTEGER, _FLOAT) or not 0 < self.data_bytes < _UNKNOWN or not self.frame_bytes:
            return None
        return self.data_bytes // self.frame_bytes

    @property
    def sample_kind(self) -> str | None:
        """NumPy's name of one sample; None where it is not a plain number or the header cannot be meant."""
        return _KINDS.get((self.tag, self.bits)) if self.channels and self.rate else None


def wave_header(path: Path) -> WaveHeader | None:
    """The header of a RIFF WAVE file; None where it is another kind of file or has no format or data chunk."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        riff = file.read(12)
        if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            return None
        form = None
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8:
                return None
            name, length = head[:4], struct.unpack("<I", head[4:])[0]
            if name == b"data":
                return WaveHeader(*form, file.tell(), length, size) if form else None
            start = file.tell()
            if name == b"fmt ":
                form = _format(file.read(min(length, 40)))
                if form is None:
                    return None
            if start + length > size:
                return None
            file.seek(start + length + length % 2)
    return None


def read_to_the_end(path: Path, header: WaveHeader) -> np.ndarray:
    """float32 (samples,): the mean of the channels of everything after the data chunk's head, for a header with a
    `sample_kind`."""
    kind = header.sample_kind
    if kind is None:
        raise BadInput(f"{path}: expected plain numbers, found WAV format {header.tag} with {header.bits} bits")
    frames = (header.file_bytes - header.data_at) // header.frame_bytes
    values = np.fromfile(path, kind, frames * header.channels, offset=header.data_at)
    mono = values.reshape(-1, header.channels).mean(1, dtype=np.float64)
    if header.tag == _INTEGER:
        mono = (mono - 128) / 128 if header.bits == 8 else mono / 2.0 ** (header.bits - 1)
    return mono.astype(np.float32)


def _format(chunk: bytes) -> tuple[int, int, int, int] | None:
    if len(chunk) < 16:
        return None
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = struct.unpack("<H", chunk[24:26])[0]
    return tag, channels, rate, bits
