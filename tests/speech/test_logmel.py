"""Log-mel equals librosa's and a literal transform; frames stand where units.py says."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.speech.audio import read_audio
from avterm.speech.logmel import FFT, FLOOR, filterbank, log_mel
from avterm.units import frames_in_samples


def by_librosa(samples: np.ndarray, mels: int = 40) -> np.ndarray:
    """The same windows by librosa: frame i centred on i · 160 + 80, so no centring of its own."""
    frames = frames_in_samples(len(samples))
    padded = np.zeros(frames * 160 + FFT, np.float32)
    begin = (FFT - 400) // 2 + 120  # its window lies in the middle of the transform's 512 samples
    padded[begin : begin + len(samples)] = samples
    power = librosa.feature.melspectrogram(
        y=padded, sr=16_000, n_fft=FFT, win_length=400, hop_length=160, window="hamming", center=False, n_mels=mels
    )
    return np.log(np.maximum(power.T[:frames], FLOOR))


@pytest.mark.parametrize("mels", [40, 23, 80])
def test_equals_librosa(mels: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000 * 3 + 37).astype(np.float32)
    ours = log_mel(samples, mels)
    assert ours.dtype == np.float32
    assert ours.shape == (frames_in_samples(len(samples)), mels)
    np.testing.assert_allclose(ours, by_librosa(samples, mels), atol=2e-5, rtol=0)


def test_equals_librosa_on_real_speech(corpora) -> None:  # type: ignore[no-untyped-def]
    for path in sorted((corpora / "spoken-digits" / "speech").iterdir())[:5]:
        samples = read_audio(path)
        np.testing.assert_allclose(np.exp(log_mel(samples)), np.exp(by_librosa(samples)), atol=1e-11, rtol=1e-4)


def test_one_frame_is_the_literal_transform() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 1600).astype(np.float32)
    padded = np.concatenate([np.zeros(120), samples.astype(np.float64), np.zeros(400)])
    hamming = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 400)
    times, bins = np.arange(400), np.arange(FFT // 2 + 1)
    basis = np.exp(-2j * np.pi * np.outer(bins, times) / FFT)
    bands = filterbank(40).astype(np.float64)
    for frame in (0, 4, 9):
        power = np.abs(basis @ (padded[frame * 160 : frame * 160 + 400] * hamming)) ** 2
        np.testing.assert_allclose(log_mel(samples)[frame], np.log(power @ bands), atol=1e-4)


@given(st.integers(0, 2000))
@settings(max_examples=40, deadline=None)
def test_every_sample_has_a_frame(count: int) -> None:
    found = log_mel(np.zeros(count, np.float32))
    assert found.shape == (frames_in_samples(count), 40)
    assert (found == np.float32(np.log(np.float32(FLOOR)))).all()


def test_a_click_is_loudest_in_its_own_frame() -> None:
    samples = np.zeros(16_000, np.float32)
    samples[5 * 160 + 80] = 1
    assert log_mel(samples).mean(1).argmax() == 5


def test_blocks_join_without_a_seam() -> None:
    samples = np.random.default_rng(2).normal(0, 0.1, 160 * 2100).astype(np.float32)
    whole = log_mel(samples)
    part = log_mel(samples[160 * 1000 : 160 * 1050])
    np.testing.assert_allclose(whole[1002:1048], part[2:-2], atol=1e-5)


def test_the_filterbank_is_librosas() -> None:
    np.testing.assert_allclose(filterbank(40), librosa.filters.mel(sr=16_000, n_fft=FFT, n_mels=40).T, atol=1e-7)
