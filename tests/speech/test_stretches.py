"""Long recordings in stretches: nothing is lost, cuts lie in pauses, and errors are those of whole recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from avterm.errors import BadInput
from avterm.speech import stretches as cutting
from avterm.speech.activity import activity
from avterm.speech.audio import read_audio
from avterm.speech.stretches import stretches


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "LONGEST", 3.0)
    monkeypatch.setattr(cutting, "_BLOCK", 0.9)


def speak(path: Path, bursts: int, rate: int = 16_000, pause: float = 0.5) -> np.ndarray:
    """0.8 s of noise, then a pause, again and again."""
    rng = np.random.default_rng(0)
    parts = [
        np.concatenate([rng.normal(0, 0.1, round(0.8 * rate)), np.zeros(round(pause * rate))]) for _ in range(bursts)
    ]
    samples = np.concatenate(parts)
    soundfile.write(path, samples, rate, "FLOAT" if path.suffix == ".wav" else None)
    return samples


@pytest.mark.parametrize(("name", "rate"), [("a.wav", 16_000), ("a.flac", 16_000), ("a.wav", 8_000), ("a.mp3", 16_000)])
def test_together_they_are_the_recording(tmp_path: Path, name: str, rate: int) -> None:
    speak(tmp_path / name, 9, rate)
    whole, parts = read_audio(tmp_path / name), list(stretches(tmp_path / name, "energy"))
    assert len(parts) > 3
    together = np.concatenate([p.samples for p in parts])
    np.testing.assert_allclose(together[: len(whole)], whole[: len(together)], atol=1e-4)
    assert abs(len(together) - len(whole)) <= 2
    first = 0
    for part in parts:
        assert part.first == first
        assert len(part.active) == -(-len(part.samples) // 160)
        assert len(part.samples) <= 3 * 16_000
        first += len(part.active)


def test_cuts_lie_in_pauses(tmp_path: Path) -> None:
    samples = speak(tmp_path / "a.wav", 9)
    for part in list(stretches(tmp_path / "a.wav", "energy"))[1:]:
        around = samples[160 * part.first - 800 : 160 * part.first + 800]
        assert not around.any()


def test_without_a_pause_the_quietest_moment_is_cut(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 6 * 16_000)
    samples[2 * 16_000 : 2 * 16_000 + 3200] *= 0.5
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    parts = list(stretches(tmp_path / "a.wav", "none"))
    assert 200 <= parts[1].first <= 220
    assert sum(len(p.samples) for p in parts) == len(samples)


def test_what_is_short_is_one_stretch_with_the_activity_of_the_whole(tmp_path: Path) -> None:
    speak(tmp_path / "a.wav", 2)
    [part] = stretches(tmp_path / "a.wav", "energy")
    assert (part.samples == read_audio(tmp_path / "a.wav")).all()
    assert (part.active == activity(part.samples, "energy")).all()


def test_damage_is_named(tmp_path: Path) -> None:
    speak(tmp_path / "a.flac", 9)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput, match=r"cut\.flac: (truncated|damaged)"):
        list(stretches(tmp_path / "cut.flac", "none"))
    samples = np.zeros(16_000 * 5, np.float32)
    samples[70_000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16_000, "FLOAT")
    with pytest.raises(BadInput, match="not finite"):
        list(stretches(tmp_path / "nan.wav", "none"))
    with pytest.raises(BadInput, match="no such file"):
        list(stretches(tmp_path / "nothing.wav", "none"))
