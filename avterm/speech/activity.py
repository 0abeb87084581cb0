"""Voice activity (section 4): which 10 ms frames are speech, so that silent segments can be dropped."""

from __future__ import annotations

import numpy as np

from avterm.errors import ConfigError
from avterm.speech.silero import WINDOW, speech_probabilities
from avterm.units import HOP_SECONDS, frames_in_samples, samples_in

METHODS = ("silero", "energy", "none")
_ON, _OFF = 0.5, 0.35  # speech begins at the first and ends under the second
_SHORTEST_PAUSE = 10  # frames: shorter gaps belong to the speech around them


def activity(samples: np.ndarray, method: str = "silero") -> np.ndarray:
    """float32 (samples,) at 16 kHz → uint8 (frames,): 1 where there is speech.

    silero: the network of the silero-vad wheel; energy: level against the recording's own noise floor, nothing but
    numpy; none: all ones.
    """
    if method not in METHODS:
        raise ConfigError(f"speech.vad: expected one of {', '.join(METHODS)}, found {method!r}")
    frames = frames_in_samples(len(samples))
    if method == "none" or not frames:
        return np.ones(frames, np.uint8)
    if method == "energy":
        return _close_gaps(_by_energy(samples, frames), _SHORTEST_PAUSE).astype(np.uint8)
    probabilities = speech_probabilities(samples)
    centre = (np.arange(frames) + 0.5) * samples_in(HOP_SECONDS)
    per_frame = probabilities[np.minimum((centre // WINDOW).astype(np.int64), len(probabilities) - 1)]
    return _close_gaps(_hysteresis(per_frame, _ON, _OFF), _SHORTEST_PAUSE).astype(np.uint8)


def _by_energy(samples: np.ndarray, frames: int) -> np.ndarray:
    """Speech where the level stands well above the floor: 40% of the way from the 10th to the 95th percentile."""
    hop = samples_in(HOP_SECONDS)
    padded = np.zeros(frames * hop, np.float32)
    padded[: len(samples)] = samples
    level = 10 * np.log10(np.mean(padded.reshape(frames, hop) ** 2, axis=1) + 1e-10)
    smooth = np.convolve(np.pad(level, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    low, high = np.percentile(smooth, [10, 95])
    if high < -70:  # nothing but digital silence
        return np.zeros(frames, bool)
    if high - low < 6:  # one level throughout: no pause to be told from speech
        return np.ones(frames, bool)
    return _hysteresis(smooth, low + (high - low) * 0.4, low + (high - low) * 0.3)


def _hysteresis(values: np.ndarray, on: float, off: float) -> np.ndarray:
    """True from where `values` reach `on` until they fall under `off`."""
    decided = np.where(values >= on, 1, np.where(values < off, 0, -1))
    known = np.flatnonzero(decided >= 0)
    if not len(known):
        return np.zeros(len(values), bool)
    last = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return np.where(last >= 0, decided[known[np.maximum(last, 0)]] == 1, False)


def _close_gaps(active: np.ndarray, shortest: int) -> np.ndarray:
    """Pauses between two stretches of speech that are shorter than `shortest` frames become speech."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    begins, ends = edges[::2], edges[1::2]
    out = active.copy()
    for end, begin in zip(ends[:-1], begins[1:], strict=True):
        if begin - end < shortest:
            out[end:begin] = True
    return out
