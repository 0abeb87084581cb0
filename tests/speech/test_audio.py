"""Recordings of every format are read alike; every kind of broken file is named in one line."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avterm.errors import BadInput
from avterm.speech.audio import duration, read_audio


@pytest.fixture
def tone() -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "settings", "near"),
    [
        ("a.wav", {}, 1e-4), ("a.wav", {"subtype": "PCM_24"}, 1e-6), ("a.wav", {"subtype": "PCM_U8"}, 0.02),
        ("a.wav", {"subtype": "FLOAT"}, 1e-7), ("a.wav", {"subtype": "DOUBLE"}, 1e-7),
        ("a.wav", {"subtype": "ULAW"}, 0.02), ("a.flac", {}, 1e-4), ("a.ogg", {}, 0.05), ("a.mp3", {}, 0.05),
    ],
)  # fmt: skip
def test_every_format(tmp_path: Path, tone: np.ndarray, name: str, settings: dict[str, str], near: float) -> None:
    soundfile.write(tmp_path / name, tone, 16_000, **settings)
    samples = read_audio(tmp_path / name)
    assert samples.dtype == np.float32
    assert samples.shape == tone.shape
    assert np.abs(samples - tone)[2000:-2000].max() <= near


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_any_rate_becomes_16_khz(tmp_path: Path, rate: int) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    soundfile.write(tmp_path / "a.wav", wave, rate, subtype="FLOAT")
    samples = read_audio(tmp_path / "a.wav")
    assert abs(len(samples) - 16_000) <= 1
    expected = 0.3 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / 16_000)
    assert np.abs(samples - expected)[1000:-1000].max() < 1e-3
    assert duration(tmp_path / "a.wav") == pytest.approx(1.0)


def test_channels_are_averaged(tmp_path: Path, tone: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([tone, 0 * tone, -tone / 2], 1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), tone / 6, atol=1e-7)


def test_length_at_another_rate(tmp_path: Path, tone: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.wav", tone, 16_000)
    assert len(read_audio(tmp_path / "a.wav", 8_000)) == 8_000


def wave_bytes(tmp_path: Path, tone: np.ndarray) -> bytes:
    soundfile.write(tmp_path / "whole.wav", tone, 16_000, subtype="PCM_16")
    return (tmp_path / "whole.wav").read_bytes()


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF])
def test_a_stream_that_does_not_know_its_length(tmp_path: Path, tone: np.ndarray, length: int, riff: int) -> None:
    whole = wave_bytes(tmp_path, tone)
    path = tmp_path / "stream.wav"
    path.write_bytes(whole[:4] + struct.pack("<I", riff) + whole[8:40] + struct.pack("<I", length) + whole[44:])
    np.testing.assert_allclose(read_audio(path), tone, atol=1e-4)


def test_a_header_that_promises_too_much_is_truncated(tmp_path: Path, tone: np.ndarray) -> None:
    whole = wave_bytes(tmp_path, tone)
    path = tmp_path / "half.wav"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"half\.wav: truncated: its header promises 1\.00 s, 0\.50 s are there"):
        read_audio(path)


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.8])
def test_truncated_files_are_refused(tmp_path: Path, ending: str, share: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000)
    soundfile.write(tmp_path / f"a.{ending}", noise, 16_000)
    data = (tmp_path / f"a.{ending}").read_bytes()
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadInput, match="cut"):
        read_audio(path)


def patched(whole: bytes, at: int, form: str, value: int) -> bytes:
    data = bytearray(whole)
    struct.pack_into(form, data, at, value)
    return bytes(data)


@pytest.mark.parametrize(
    "name", ["empty", "text", "header", "half a header", "no rate", "vast rate", "no channels", "many channels",
             "no bits", "another tag", "no samples", "nan", "infinity", "folder", "missing", "nul"],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path: Path, tone: np.ndarray, name: str) -> None:
    whole, path = wave_bytes(tmp_path, tone), tmp_path / "bad file.wav"
    contents = {
        "empty": b"", "text": b"hello " * 100, "header": whole[:44], "half a header": whole[:30],
        "no rate": patched(whole, 24, "<I", 0), "vast rate": patched(whole, 24, "<I", 0x7FFFFFFF),
        "no channels": patched(whole, 22, "<H", 0), "many channels": patched(whole, 22, "<H", 0xFFFF),
        "no bits": patched(whole, 34, "<H", 0), "another tag": patched(whole, 20, "<H", 0x9999),
    }  # fmt: skip
    if name in contents:
        path.write_bytes(contents[name])
    elif name == "no samples":
        soundfile.write(path, np.zeros(0), 16_000)
    elif name in ("nan", "infinity"):
        tone[77] = np.nan if name == "nan" else np.inf
        soundfile.write(path, tone, 16_000, subtype="FLOAT")
    elif name == "folder":
        path.mkdir()
    elif name == "nul":
        path = tmp_path / "bad file\0.wav"
    with pytest.raises(BadInput, match="bad file") as caught:
        read_audio(path)
    assert "\n" not in str(caught.value)


def test_a_header_that_promises_weeks_costs_no_memory(tmp_path: Path, tone: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.flac", tone, 16_000)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff\xff\xff\xff"
    (tmp_path / "vast.flac").write_bytes(bytes(data))
    with pytest.raises(BadInput, match=r"vast\.flac: 4294967 s long"):
        read_audio(tmp_path / "vast.flac")


def test_longest_is_asked_of_the_header_and_of_what_is_decoded(tmp_path: Path, tone: np.ndarray) -> None:
    for ending in ("wav", "mp3"):
        soundfile.write(tmp_path / f"a.{ending}", tone, 16_000)
        with pytest.raises(BadInput, match="1 s long; at most 0 s are read"):
            read_audio(tmp_path / f"a.{ending}", longest=0.4)
    assert len(read_audio(tmp_path / "a.wav", longest=1.0)) == 16_000
