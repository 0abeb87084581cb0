"""How alike a caption and a picture are: every caption of a batch with every picture of it.

`mean` is the paper's inner product of two means. The others keep the match map of every output frame with every cell
of the picture (Harwath et al. 2018, "Jointly Discovering Visual Objects and Spoken Words"): MISA takes each frame's
best cell and averages over frames, SIMA each cell's best frame and averages over cells, SISA averages over both.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIMILARITIES = ("mean", "misa", "sima", "sisa", "both")


def frame_mask(lengths: Tensor, frames: int, stride: int) -> Tensor:
    """(B,) lengths in mel frames → (B, frames) bool, True at true output frames."""
    true = (lengths + stride - 1) // stride
    return torch.arange(frames, device=lengths.device)[None] < true[:, None]


def masked_mean(frames: Tensor, mask: Tensor) -> Tensor:
    """(B, T, D) frames, padding zero, and (B, T) mask → (B, D) mean over the true frames."""
    return frames.sum(1) / mask.sum(1).clamp(min=1)[:, None].to(frames.dtype)


def matchmap_scores(speech: Tensor, mask: Tensor, cells: Tensor, kind: str, sharpness: float = 0.0) -> Tensor:
    """(B, T, D) frames with (B, T) mask, (C, N, D) cells → (B, C) scores of every caption with every picture."""
    captions, steps, size = speech.shape
    pictures, count, _ = cells.shape
    maps = speech.reshape(-1, size) @ cells.reshape(-1, size).T  # every frame with every cell, one product
    maps = maps.view(captions, steps, pictures, count)
    weight = mask.to(maps.dtype) / mask.sum(1, keepdim=True).clamp(min=1).to(maps.dtype)
    if kind == "sisa":
        return torch.einsum("btcn,bt->bc", maps, weight) / count
    scores = maps.new_zeros(captions, pictures)
    if kind in ("misa", "both"):
        scores = scores + torch.einsum("btc,bt->bc", maps.amax(-1), weight)
    if kind in ("sima", "both"):
        hidden = maps.masked_fill(~mask[:, :, None, None], float("-inf"))
        scores = scores + hidden.amax(1).mean(-1)
    return scores / 2 if kind == "both" else scores
