"""WAV headers are read chunk by chunk, and nothing in one can make the reader fail."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.errors import BadInput
from avterm.speech.audio import read_audio
from avterm.speech.wave import read_to_the_end, wave_header


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_reads_what_soundfile_writes(tmp_path: Path, subtype: str, form: str) -> None:
    path = tmp_path / "a.wav"
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (500, 2))
    soundfile.write(path, wave, 8000, subtype=subtype, format=form)
    header = wave_header(path)
    assert header is not None
    assert (header.channels, header.rate, header.promised) == (2, 8000, 500)
    np.testing.assert_allclose(read_to_the_end(path, header), wave.mean(1), atol=0.01)


@given(st.integers(0, 60), st.integers(0, 255), st.integers(0, 120))
@settings(max_examples=150, deadline=None)
def test_damaged_headers_end_in_sound_or_in_one_line(tmp_path_factory, at: int, value: int, keep: int) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("wave") / "a.wav"
    data = bytearray(
        b"RIFF" + struct.pack("<I", 136) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    )
    data += b"data" + struct.pack("<I", 100) + bytes(range(100))
    data[at] = value
    path.write_bytes(bytes(data[: max(keep, 1)] if keep < 100 else data))
    wave_header(path)
    assert "\n" not in outcome(path)


def outcome(path: Path) -> str:
    """What reading gives: nothing, or the line that says why not."""
    try:
        assert np.isfinite(read_audio(path)).all()
    except BadInput as error:
        return str(error)
    return ""
