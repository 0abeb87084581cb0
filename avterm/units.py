"""The one place that converts seconds, samples and frames.

A frame stands for 10 ms of sound: frame i covers [i · 10 ms, (i + 1) · 10 ms), and its 25 ms window is centred
on that stretch. A sound of n samples has ceil(n / hop) frames, so 10 s are exactly 1,000 frames (section 3).
"""

from __future__ import annotations

SAMPLE_RATE = 16_000
FRAMES_PER_SECOND = 100
HOP_SECONDS = 0.010
WINDOW_SECONDS = 0.025


def samples_in(seconds: float, rate: int = SAMPLE_RATE) -> int:
    """The whole number of samples nearest to `seconds` at `rate` samples a second."""
    return round(seconds * rate)


def frames_in_samples(samples: int, rate: int = SAMPLE_RATE) -> int:
    """How many 10 ms frames a sound of `samples` samples has: the last one may be partly padding."""
    hop = samples_in(HOP_SECONDS, rate)
    return -(-samples // hop)


def frames_in(seconds: float) -> int:
    """The frame boundary nearest to `seconds`."""
    return round(seconds * FRAMES_PER_SECOND)


def seconds_in(frames: float) -> float:
    """The time of a frame boundary, in seconds."""
    return frames / FRAMES_PER_SECOND
