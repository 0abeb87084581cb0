"""Sound: speed, clips, and the device thread on the null backend."""

from __future__ import annotations

import threading
import wave

import miniaudio
import numpy as np
import pytest

from avterm.errors import StoreError
from avterm.tui.player import SPEEDS, clip_path, cut, stretched, to_int16, write_wav
from avterm.tui.sound import NO_MICROPHONE, NO_SPEAKER, DevicePlayer, Microphone, _feed, backends

NULL = [miniaudio.Backend.NULL]


@pytest.mark.parametrize("speed", SPEEDS)
def test_speed_changes_the_length_and_not_the_pitch(speed):
    tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
    out = stretched(tone, speed)
    assert len(out) == pytest.approx(16_000 / speed, rel=0.06)
    middle = out[len(out) // 4 : 3 * len(out) // 4]
    peak = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle))))) * 16_000 / len(middle)
    assert peak == pytest.approx(440, abs=8)
    assert np.abs(out).max() < 1.5


@pytest.mark.parametrize("length", [0, 1, 100, 1023, 1024, 1025])
def test_short_sounds_survive(length):
    assert np.isfinite(stretched(np.ones(length, np.float32), 0.5)).all()


def test_cut_counts_frames():
    assert list(cut(np.arange(1000), 1, 3)[[0, -1]]) == [160, 479]
    assert len(cut(np.arange(1000), 900, 950)) == 0
    assert len(cut(np.arange(1000), -5, 1)) == 160


def test_clips_have_names_that_any_file_system_takes(tmp_path):
    for id in ("a/b\\c:*?", "..", "", "x" * 500, "ü\n\x1b[31m", "\udc80"):
        path = clip_path(tmp_path, id, 10, 60)
        assert path.parent == tmp_path
        write_wav(path, np.zeros(160))
    assert clip_path(tmp_path, "a/b", 1, 2) != clip_path(tmp_path, "a-b", 1, 2)


def test_a_clip_is_a_wav_file(tmp_path):
    write_wav(tmp_path / "a.wav", np.array([0.0, 1.0, -1.0, 2.0, np.nan]))
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        assert list(np.frombuffer(file.readframes(9), "<i2")) == [0, 32767, -32767, 32767, 0]


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written"):
        write_wav(tmp_path / "file" / "a.wav", np.zeros(9))


def fed(samples, loop, reads):
    finished = threading.Event()
    feed = _feed(to_int16(samples), loop, finished)
    next(feed)
    return np.concatenate([np.frombuffer(feed.send(n), "<i2") for n in reads]), finished


def test_the_feed_plays_once_then_falls_silent():
    out, finished = fed(np.full(10, 0.5), False, [4, 4, 4, 3000, 3000])
    assert (out[:10] > 0).all()
    assert not out[10:].any()
    assert finished.is_set()


def test_the_feed_repeats():
    out, finished = fed(np.linspace(0.1, 0.9, 9), True, [5] * 9)
    assert np.array_equal(out[:9], out[9:18])
    assert len(out) == 45
    assert not finished.is_set()


def test_an_empty_sound_ends(tmp_path):
    assert fed(np.zeros(0), True, [3000, 3000])[1].is_set()


def test_the_null_device_is_never_taken_for_a_speaker():
    assert miniaudio.Backend.NULL not in backends()


def test_the_thread_plays_and_says_when_it_is_over():
    player, done = DevicePlayer(NULL), threading.Event()
    errors = []
    player.play(np.zeros(800), False, lambda error: (errors.append(error), done.set()))
    assert done.wait(5)
    assert errors == [None]
    player.close()
    player._thread.join(5)
    assert not player._thread.is_alive()


def test_a_new_sound_ends_the_one_before():
    player, done = DevicePlayer(NULL), threading.Event()
    over = []
    player.play(np.zeros(16_000 * 60), True, lambda error: over.append("first"))
    player.play(np.zeros(800), False, lambda error: (over.append("second"), done.set()))
    assert done.wait(5)
    assert over == ["second"]
    player.close()


def test_stopping_is_quiet():
    player = DevicePlayer(NULL)
    over = []
    player.play(np.zeros(16_000 * 60), False, lambda error: over.append(error))
    player.stop()
    player.close()
    player._thread.join(5)
    assert over == []


def refuse(*args, **kwargs):
    raise miniaudio.MiniaudioError("failed to init device", -401)


def test_no_device_is_one_line(monkeypatch):
    monkeypatch.setattr(miniaudio, "PlaybackDevice", refuse)
    monkeypatch.setattr(miniaudio, "CaptureDevice", refuse)
    player, done, errors = DevicePlayer(), threading.Event(), []
    player.play(np.zeros(800), False, lambda error: (errors.append(error), done.set()))
    assert done.wait(5)
    assert errors == [NO_SPEAKER]
    player.close()
    assert Microphone().start() == NO_MICROPHONE
    assert len(Microphone().stop()) == 0


def test_the_microphone_hears_silence_from_the_null_device():
    microphone = Microphone(NULL)
    assert microphone.start() is None
    for _ in range(200):
        if microphone._heard:
            break
        threading.Event().wait(0.02)
    heard = microphone.stop()
    assert len(heard) > 0
    assert not heard.any()
