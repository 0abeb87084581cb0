"""How alike a caption and a picture are: every caption of a batch with every picture of it.

`mean` is the paper's inner product of two means. The others keep the match map of every output frame with every cell
of the picture (Harwath et al. 2018, "Jointly Discovering Visual Objects and Spoken Words"): MISA takes each frame's
best cell and averages over frames, SIMA each cell's best frame and averages over cells, SISA averages over both.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

_AT_ONCE = 1 << 21  # inner products that are held at a time on a processor: 8 MB
SIMILARITIES = ("mean", "misa", "sima", "sisa", "both")


def frame_mask(lengths: Tensor, frames: int, stride: int) -> Tensor:
    """(B,) lengths in mel frames → (B, frames) bool, True at true output frames."""
    true = (lengths + stride - 1) // stride
    return torch.arange(frames, device=lengths.device)[None] < true[:, None]


def masked_mean(frames: Tensor, mask: Tensor) -> Tensor:
    """(B, T, D) frames, padding zero, and (B, T) mask → (B, D) mean over the true frames."""
    return frames.sum(1) / mask.sum(1).clamp(min=1)[:, None].to(frames.dtype)


class _Best(torch.autograd.Function):
    """(F, D) rows and (C, N, D) sets of candidates → (F, C): each row's best inner product in each set.

    The gradient touches only the winners, so it goes through a sparse matrix with one entry a row and set: a
    hundredth of the work of the product itself.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sets: Tensor, true: Tensor | None) -> Tensor:
        best, place = _in_cache(rows, sets, true) if _cached(rows) else _largest(rows @ _columns(sets), sets, true)
        ctx.save_for_backward(rows, sets, place)
        return best

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, sets, place = ctx.saved_tensors
        count, size, depth = sets.shape
        column = (place + torch.arange(count, device=place.device) * size).reshape(-1)
        starts = torch.arange(len(rows) + 1, device=place.device) * count
        values = gradients[0].float().reshape(-1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that this part of torch is young; its results are tested
            chosen = torch.sparse_csr_tensor(starts, column, values, (len(rows), count * size))
        to_rows = chosen @ sets.reshape(-1, depth).float()
        to_sets = chosen.t().to_sparse_csr() @ rows.float()
        return to_rows.to(rows.dtype), to_sets.view(count, size, depth).to(sets.dtype), None


def _columns(sets: Tensor) -> Tensor:
    """(C, N, D) → (D, C · N)."""
    return sets.reshape(-1, sets.shape[-1]).T


def _largest(products: Tensor, sets: Tensor, true: Tensor | None) -> tuple[Tensor, Tensor]:
    """(F, C · N) inner products → (F, C) the largest in each set and its place there."""
    maps = products.view(-1, *sets.shape[:2])
    if true is not None:
        maps.masked_fill_(~true, float("-inf"))
    return maps.max(-1)  # type: ignore[return-value]


def _cached(rows: Tensor) -> bool:
    """Whether blocks pay: on a processor, and where nothing is cast on the way (`out=` is not)."""
    return rows.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _in_cache(rows: Tensor, sets: Tensor, true: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same by blocks of rows whose products stay in the cache, and in memory that is used again and again."""
    columns, count = _columns(sets), len(sets)
    at_once = max(_AT_ONCE // max(columns.shape[1], 1), 1)
    best = rows.new_empty(len(rows), count)
    place = torch.empty(len(rows), count, dtype=torch.long)
    buffer = rows.new_empty(min(at_once, len(rows)), columns.shape[1])
    for start in range(0, len(rows), at_once):
        part = rows[start : start + at_once]
        products = torch.mm(part, columns, out=buffer[: len(part)])
        best[start : start + at_once], place[start : start + at_once] = _largest(products, sets, true)
    return best, place


def best_match(rows: Tensor, sets: Tensor, true: Tensor | None = None) -> Tensor:
    """(F, D) rows, (C, N, D) sets → (F, C) best inner product of each row within each set.

    true: (C, N) bool, which members of the sets exist; None: all.
    """
    result: Tensor = _Best.apply(rows, sets, true)  # type: ignore[no-untyped-call]
    return result


def matchmap_scores(speech: Tensor, mask: Tensor, cells: Tensor, kind: str) -> Tensor:
    """(B, T, D) frames with (B, T) mask, (C, N, D) cells → (B, C) scores of every caption with every picture."""
    captions = len(speech)
    if kind == "sisa":
        return masked_mean(speech, mask) @ cells.mean(1).T
    scores = speech.new_zeros(captions, len(cells))
    if kind in ("misa", "both"):
        best = best_match(speech[mask], cells)  # true frames only: padding costs nothing
        owner = torch.arange(captions, device=mask.device)[:, None].expand(mask.shape)[mask]
        total = torch.zeros(captions, len(cells), dtype=best.dtype, device=best.device).index_add(0, owner, best)
        scores = scores + total / mask.sum(1, keepdim=True).clamp(min=1)
    if kind in ("sima", "both"):
        best = best_match(cells.flatten(0, 1), speech, mask)
        scores = scores + best.view(len(cells), -1, captions).mean(1).T
    return scores / 2 if kind == "both" else scores
