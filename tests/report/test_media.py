"""Sounds and pictures that lie in the page, and the budget."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avterm.progress import Silent
from avterm.report.media import Budget, Media, encode_picture, encode_sound, encode_spectrogram
from tests.synthetic import make_run


@pytest.mark.parametrize("samples", [800, 8_000, 12_345, 48_000])
def test_a_sound_comes_back_in_its_length_and_place(samples: int) -> None:
    rng = np.random.default_rng(samples)
    sound = 0.6 * np.sin(np.cumsum(rng.uniform(0.02, 0.3, samples))).astype(np.float32)
    back, rate = soundfile.read(io.BytesIO(encode_sound(sound)), dtype="float32")
    assert rate == 16_000
    assert abs(len(back) - samples) <= 1
    if samples > 4_000:
        middle = slice(1_000, samples - 1_000)
        assert np.corrcoef(sound[middle], back[middle])[0, 1] > 0.9


def test_silence_and_loud_sounds_are_encoded() -> None:
    assert encode_sound(np.zeros(100, np.float32))
    assert encode_sound(np.full(9_000, 7.0, np.float32))


def test_a_picture_is_made_small_but_never_larger() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 600, 3), dtype=np.uint8)
    assert Image.open(io.BytesIO(encode_picture(noise, 160, 40))).size == (160, 80)
    assert Image.open(io.BytesIO(encode_picture(noise[:1, :1], 160, 40))).size == (1, 1)


def test_a_spectrogram_has_a_column_a_frame_and_low_bands_below() -> None:
    mel = np.zeros((77, 40), np.float32)
    mel[:, :10] = 5
    grey = np.asarray(Image.open(io.BytesIO(encode_spectrogram(mel))).convert("L"))
    assert grey.shape == (40, 77)
    assert grey[-5:].mean() > 200
    assert grey[:20].mean() < 50


def test_a_spectrogram_of_constants_and_nan() -> None:
    assert encode_spectrogram(np.full((3, 40), np.nan, np.float32))
    assert encode_spectrogram(np.ones((1, 40), np.float32))


def test_the_budget_is_spent_whole_or_not_at_all() -> None:
    budget = Budget(300)
    assert budget.take(b"x" * 90)
    left = budget.left
    assert not budget.take(b"x" * 100, b"y" * 50)
    assert budget.left == left


def test_media_tell_each_missing_file_once(tmp_path: Path) -> None:
    run, progress = make_run(tmp_path, media=False), Silent()
    media = Media(run, progress)
    pair = run.corpus.pairs[0]
    for _ in range(2):
        assert media.picture(pair) is None
        assert media.sound(pair) is None
        assert media.mel(pair) is None
    assert [(p.id, p.kind) for p in progress.problems] == [("pair 0", "picture"), ("pair 0", "sound")]


def test_media_give_what_is_on_disk(tmp_path: Path) -> None:
    run = make_run(tmp_path, pairs=2)
    media = Media(run, Silent())
    pair = run.corpus.pairs[1]
    picture, sound, mel = media.picture(pair), media.sound(pair), media.mel(pair)
    assert picture is not None
    assert picture.shape == (60, 80, 3)
    assert sound is not None
    assert len(sound) == 48_000
    assert mel is not None
    assert mel.shape == (300, 40)
