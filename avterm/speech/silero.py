"""The Silero voice activity network, all windows of a caption at once.

The weights are those of the `silero-vad` wheel (16 kHz). Its own model goes window by window; here the spectra and
convolutions of all windows are one batch, and only the recurrent cell walks through time. Same probabilities.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avterm.errors import StoreError

WINDOW, CONTEXT = 512, 64  # samples at 16 kHz
_STRIDES = (1, 2, 2, 1)
_BLOCK = 4096  # windows at a time: memory stays flat however long the recording


class SileroVad(nn.Module):
    """Probability of speech for every 32 ms of a recording at 16 kHz."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        """`weights` as the wheel's 16 kHz model names them."""
        super().__init__()
        self.stft = weights["stft.forward_basis_buffer"]
        names = [f"encoder.{i}.reparam_conv" for i in range(4)]
        self.convs = [(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in names]
        self.cell = nn.LSTM(128, 128)
        gates = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        self.cell.load_state_dict({f"{n}_l0": weights[f"decoder.rnn.{n}"] for n in gates})
        self.final = (weights["decoder.decoder.2.weight"][:, :, 0], weights["decoder.decoder.2.bias"])
        self.requires_grad_(False)

    def forward(self, samples: Tensor) -> Tensor:
        """(samples,) → (ceil(samples / 512),) probabilities."""
        count = -(-len(samples) // WINDOW)
        padded = F.pad(samples, (CONTEXT, count * WINDOW - len(samples)))
        windows = padded.unfold(0, WINDOW + CONTEXT, WINDOW)[:, None]  # each with the 64 samples before it
        hidden = torch.cat([self._encode(windows[i : i + _BLOCK]) for i in range(0, count, _BLOCK)])
        walked, _ = self.cell(hidden)
        return torch.sigmoid(F.linear(F.relu(walked), *self.final))[:, 0]

    def _encode(self, windows: Tensor) -> Tensor:
        """(windows, 1, 576) → (windows, 128)."""
        spectrum = F.conv1d(F.pad(windows, (0, CONTEXT), mode="reflect"), self.stft, stride=128)
        half = spectrum.shape[1] // 2
        hidden = torch.sqrt(spectrum[:, :half] ** 2 + spectrum[:, half:] ** 2)
        for (weight, bias), stride in zip(self.convs, _STRIDES, strict=True):
            hidden = F.relu(F.conv1d(hidden, weight, bias, stride=stride, padding=1))
        return hidden[:, :, 0]


@lru_cache(maxsize=1)
def load_silero() -> SileroVad:
    """The network with its wheel's weights; StoreError where the wheel is not installed or lacks them.

    They come from the TorchScript file, which is the wheel's model; its safetensors file holds an older generation's
    weights, whose probabilities differ by up to 0.3. The `silero_vad` module itself is never imported: it takes
    seconds, and sets torch to one thread.
    """
    spec = importlib.util.find_spec("silero_vad")
    path = Path(spec.origin).parent / "data" / "silero_vad.jit" if spec and spec.origin else None
    if path is None or not path.exists():
        raise StoreError("voice activity: silero-vad is not installed (pip install silero-vad), or use --vad energy")
    model = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call] # the wheel's, never a user's
    named = [*model.named_parameters(), *model.named_buffers()]
    return SileroVad(
        {name.removeprefix("_model."): value.detach().clone() for name, value in named if name.startswith("_model.")}
    )


def speech_probabilities(samples: np.ndarray) -> np.ndarray:
    """float32 (samples,) at 16 kHz → float32 (windows of 512 samples,) probabilities of speech."""
    with torch.inference_mode():
        probabilities: np.ndarray = load_silero()(torch.from_numpy(samples)).numpy()
    return probabilities
