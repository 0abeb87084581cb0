"""A synthesised caption as a recording: silence around it, its level, the room's noise, and the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from avterm.corpus.synthesis import Utterance, Voice, synthesise
from avterm.corpus.words import Word
from avterm.units import SAMPLE_RATE, samples_in

_BEFORE, _AFTER = (0.15, 0.45), (0.2, 0.5)  # seconds of silence around what is said
_LEVEL = (-26.0, -20.0)  # of the speech, in decibels below full scale
_NOISE = (-72.0, -62.0)  # of the room, likewise


@dataclass(frozen=True, slots=True)
class Manner:
    """How far one speaker's captions stray from each other: shares of the rate, steps of the pitch, range and gap."""

    rate: float = 0.12
    pitch: int = 6
    range: int = 15
    gap: int = 2


def record(
    text: str,
    voice: Voice,
    rng: np.random.Generator,
    pauses: dict[int, float] | None = None,
    manner: Manner | None = None,
) -> Utterance:
    """`text` spoken by `voice` in a quiet room: rate, pitch, liveliness, level and noise vary with `rng`.

    The same generator state gives the same samples. Raises BadInput where nothing can be spoken.
    """
    spoken = synthesise(text, varied(voice, manner or Manner(), rng), int(rng.integers(2**31)), pauses)
    before, after = (samples_in(float(rng.uniform(*span))) for span in (_BEFORE, _AFTER))
    level, noise = (10 ** (float(rng.uniform(*span)) / 20) for span in (_LEVEL, _NOISE))
    loudness = float(np.sqrt(np.mean(np.square(spoken.samples)))) or 1.0
    sound = np.concatenate([np.zeros(before), spoken.samples * (level / loudness), np.zeros(after)])
    sound += noise * rng.standard_normal(len(sound))
    shift = before / SAMPLE_RATE
    words = tuple(Word(w.word, round(w.start + shift, 4), round(w.end + shift, 4)) for w in spoken.words)
    return Utterance(np.clip(sound, -1, 1).astype(np.float32), words)


def varied(voice: Voice, manner: Manner, rng: np.random.Generator) -> Voice:
    """`voice` as it sounds for one caption."""
    rate = voice.rate * float(rng.uniform(1 - manner.rate, 1 + manner.rate))
    pitch = voice.pitch + int(rng.integers(-manner.pitch, manner.pitch + 1))
    liveliness = voice.range + int(rng.integers(-manner.range, manner.range + 1))
    gap = voice.gap + int(rng.integers(0, manner.gap + 1))
    return Voice(
        voice.name, voice.espeak, min(max(round(rate), 80), 450), _percent(pitch), _percent(liveliness), max(gap, 0)
    )


def write_flac(path: Path, samples: np.ndarray) -> None:
    """Write mono float32 samples (n,) at 16 kHz as 16-bit FLAC."""
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16", format="FLAC")


def _percent(value: int) -> int:
    return min(max(value, 0), 99)
