"""Sound in and out through miniaudio, each on its own thread: no screen ever waits for a device."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence

import miniaudio
import numpy as np

from avterm import units
from avterm.tui.player import Ended, to_int16

NO_SPEAKER = "no sound device here; press {key} to write the segment to a WAV file instead"
NO_MICROPHONE = "no microphone here; give the path of a sound file instead"
_BUFFER_MS = 60


def backends() -> list[miniaudio.Backend]:
    """Those that make a sound: without the null device, which plays into nothing and says that all is well."""
    silent = {miniaudio.Backend.NULL, miniaudio.Backend.CUSTOM}
    return [b for b in miniaudio.Backend if b not in silent and miniaudio.is_backend_enabled(b)]


class DevicePlayer:
    """Plays one sound at a time; a new one ends the one before."""

    def __init__(self, through: Sequence[miniaudio.Backend] | None = None) -> None:
        """No device is opened before the first sound. `through`: other backends, as the null one in tests."""
        self._backends = list(through) if through is not None else backends()
        self._jobs: queue.Queue[tuple[np.ndarray, bool, Ended] | None] = queue.Queue()
        self._interrupt = threading.Event()
        self._thread = threading.Thread(target=self._work, name="avterm-sound", daemon=True)
        self._thread.start()

    def play(self, samples: np.ndarray, loop: bool, ended: Ended) -> None:
        """Begin; `ended(error)` is called from the sound thread when it is over: None, or a line about the device."""
        self._interrupt.set()
        self._jobs.put((np.asarray(samples), loop, ended))

    def stop(self) -> None:
        """End the sound; its `ended` is not called."""
        self._interrupt.set()

    def close(self) -> None:
        """Stop, and let go of the device."""
        self._interrupt.set()
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._jobs.empty():
                continue  # a newer one waits
            samples, loop, ended = job
            self._interrupt.clear()
            error = self._sound(samples, loop)
            if not self._interrupt.is_set():
                ended(error)

    def _sound(self, samples: np.ndarray, loop: bool) -> str | None:
        finished = threading.Event()
        try:
            device = miniaudio.PlaybackDevice(
                output_format=miniaudio.SampleFormat.SIGNED16, nchannels=1, sample_rate=units.SAMPLE_RATE,
                buffersize_msec=_BUFFER_MS, backends=self._backends, app_name="avterm",
            )  # fmt: skip
        except miniaudio.MiniaudioError:
            return NO_SPEAKER
        try:
            feed = _feed(to_int16(samples), loop, finished)
            next(feed)
            device.start(feed)
            while not finished.wait(0.02) and not self._interrupt.is_set() and self._jobs.empty():
                continue
        except miniaudio.MiniaudioError:
            return NO_SPEAKER
        finally:
            device.close()
        return None


class Microphone:
    """Records 16 kHz mono until stopped."""

    def __init__(self, through: Sequence[miniaudio.Backend] | None = None) -> None:
        """No device is opened before `start`."""
        self._backends = list(through) if through is not None else backends()
        self._device: miniaudio.CaptureDevice | None = None
        self._heard: list[bytes] = []

    def start(self) -> str | None:
        """Begin; blocks while the device opens. None, or a line that says why there is nothing to hear."""
        self._heard = []
        try:
            self._device = miniaudio.CaptureDevice(
                input_format=miniaudio.SampleFormat.SIGNED16, nchannels=1, sample_rate=units.SAMPLE_RATE,
                backends=self._backends, app_name="avterm",
            )  # fmt: skip
            listener = self._listen()
            next(listener)
            self._device.start(listener)
        except miniaudio.MiniaudioError:
            self._device = None
            return NO_MICROPHONE
        return None

    def stop(self) -> np.ndarray:
        """float32 (samples,) at 16 kHz: what was heard."""
        if self._device is not None:
            self._device.close()
            self._device = None
        data = b"".join(self._heard)
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32768

    def _listen(self) -> Generator[None, bytes, None]:
        while True:
            self._heard.append(bytes((yield)))


def _feed(samples: np.ndarray, loop: bool, finished: threading.Event) -> Generator[bytes, int, None]:
    """What the device asks for, then silence until its buffers have run out."""
    wanted = yield b""
    at = 0
    while len(samples):
        part = samples[at : at + wanted]
        at += len(part)
        if len(part) < wanted and loop:
            at = min(wanted - len(part), len(samples))
            part = np.concatenate([part, samples[:at]])
        wanted = yield part.tobytes()
        if at >= len(samples):
            if not loop:
                break
            at = 0
    silent = 0
    while silent < units.samples_in(3 * _BUFFER_MS / 1000):
        silent += wanted
        wanted = yield bytes(2 * wanted)
    finished.set()
    while True:
        wanted = yield bytes(2 * wanted)
