"""Voice activity: the batched Silero network equals the official one; the energy detector finds pauses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from avterm.errors import ConfigError
from avterm.speech import silero
from avterm.speech.activity import activity
from avterm.speech.audio import read_audio


def official(samples: np.ndarray) -> np.ndarray:
    """The wheel's own model, window by window."""
    spec = importlib.util.find_spec("silero_vad")
    assert spec is not None
    assert spec.origin is not None
    model = torch.jit.load(str(Path(spec.origin).parent / "data" / "silero_vad.jit"))
    with torch.inference_mode():
        return model.audio_forward(torch.from_numpy(samples), 16_000).numpy().ravel()


def test_equals_the_official_network_on_real_speech(corpora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "_BLOCK", 40)
    files = sorted((corpora / "spoken-digits" / "speech").iterdir())[:2]
    files += sorted((corpora / "flickr-photos" / "speech").iterdir())[:1]
    for path in files:
        samples = read_audio(path)
        np.testing.assert_allclose(silero.speech_probabilities(samples), official(samples), atol=1e-4)


@pytest.mark.parametrize("count", [512, 513, 1023, 5000])
def test_equals_the_official_network_at_any_length(count: int) -> None:
    samples = np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32)
    np.testing.assert_allclose(silero.speech_probabilities(samples), official(samples), atol=1e-4)


def test_words_are_speech_and_the_silence_around_them_is_not(corpora: Path) -> None:
    path = sorted((corpora / "spoken-digits" / "speech").iterdir())[0]
    spoken = read_audio(path)
    quiet = np.random.default_rng(0).normal(0, 1e-4, 16_000).astype(np.float32)
    for method in ("silero", "energy"):
        active = activity(np.concatenate([quiet, spoken, quiet]), method)
        assert active.dtype == np.uint8
        assert active[:90].mean() < 0.1, method
        assert active[-80:].mean() < 0.1, method
        assert active[100:-100].mean() > 0.4, method


@pytest.mark.parametrize("method", ["silero", "energy", "none"])
@pytest.mark.parametrize(("count", "frames"), [(0, 0), (1, 1), (160, 1), (161, 2), (16_000, 100)])
def test_a_value_for_every_frame(method: str, count: int, frames: int) -> None:
    found = activity(np.zeros(count, np.float32), method)
    assert found.shape == (frames,)
    assert (found == (method == "none")).all()


def test_energy_adapts_to_the_level() -> None:
    rng = np.random.default_rng(0)
    level = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], 8000)
    wave = (rng.normal(0, 1, len(level)) * (0.003 + level)).astype(np.float32)
    expected = np.repeat([0, 1, 0, 1, 0], 50)
    for gain in (1.0, 0.01):
        assert (activity(gain * wave, "energy") == expected).mean() > 0.96
    assert activity(rng.normal(0, 0.1, 16_000).astype(np.float32), "energy").all()  # one level throughout


def test_short_pauses_belong_to_the_speech_around_them() -> None:
    rng = np.random.default_rng(0)
    level = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [8000, 8000, 800, 8000, 4800, 8000, 8000])
    found = activity((rng.normal(0, 1, len(level)) * (0.001 + level)).astype(np.float32), "energy")
    assert found[60:150].all()
    assert not found[165:175].any()


def test_unknown_method() -> None:
    with pytest.raises(ConfigError, match=r"speech\.vad: expected one of silero, energy, none, found 'webrtc'"):
        activity(np.zeros(160, np.float32), "webrtc")
