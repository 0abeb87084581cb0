"""Log-mel spectrogram (section 3): 40 log energies, 25 ms Hamming window, 10 ms shift.

Mel bands are triangles on Slaney's scale with Slaney's area normalisation (librosa's default); the logarithm is
natural, with a floor of 1e-10, so that digital silence is about -23.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from avterm.units import HOP_SECONDS, SAMPLE_RATE, WINDOW_SECONDS, frames_in_samples, samples_in

FLOOR = 1e-10
FFT = 512
_BLOCK = 1024  # frames at a time: what is computed stays in the cache, and memory stays flat


def log_mel(samples: np.ndarray, mels: int = 40) -> np.ndarray:
    """float32 (samples,) at 16 kHz → float32 (frames, mels); frames = `units.frames_in_samples`.

    Frame i's window is centred on [i · 10 ms, (i + 1) · 10 ms); beyond both ends there is silence.
    """
    window, hop = samples_in(WINDOW_SECONDS), samples_in(HOP_SECONDS)
    frames = frames_in_samples(len(samples))
    left = (window - hop) // 2
    padded = np.zeros(max(frames * hop + window - hop, window), np.float32)
    padded[left : left + len(samples)] = samples
    views = torch.from_numpy(padded).unfold(0, window, hop)
    taper, bands = _hamming(window), _bands_twice(mels)
    out = torch.empty(frames, mels)
    buffer = torch.zeros(min(_BLOCK, frames), FFT)
    with torch.inference_mode():
        for start in range(0, frames, _BLOCK):
            stop = min(start + _BLOCK, frames)
            rows = buffer[: stop - start]
            torch.mul(views[start:stop], taper, out=rows[:, :window])
            parts = torch.view_as_real(torch.fft.rfft(rows)).flatten(1)  # real and imaginary, in turn
            energies = parts.square_() @ bands
            torch.log(energies.clamp_(min=FLOOR), out=out[start:stop])
    return out.numpy()


@lru_cache(maxsize=4)
def filterbank(mels: int = 40, rate: int = SAMPLE_RATE, fft: int = FFT) -> np.ndarray:
    """float32 (fft / 2 + 1, mels): triangular filters from 0 Hz to half the rate, each of area 2 / bandwidth."""
    edges = _hertz(np.linspace(_mel(0.0), _mel(rate / 2), mels + 2))
    bins = np.linspace(0, rate / 2, fft // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.ascontiguousarray(triangles * (2.0 / (edges[2:] - edges[:-2])), dtype=np.float32)


@lru_cache(maxsize=4)
def _bands_twice(mels: int) -> Tensor:
    """(2 · bins, mels): each bin's weights for its real and for its imaginary part, so that one product sums both."""
    return torch.from_numpy(filterbank(mels)).repeat_interleave(2, 0)


@lru_cache(maxsize=2)
def _hamming(length: int) -> Tensor:
    """Periodic, as spectra want it."""
    return torch.from_numpy((0.54 - 0.46 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32))


def _mel(hertz: float) -> float:
    """Slaney: linear to 1,000 Hz (15 mels), logarithmic above."""
    return hertz / (200 / 3) if hertz < 1000 else 15 + 27 * float(np.log(hertz / 1000)) / float(np.log(6.4))


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * (200 / 3), 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
