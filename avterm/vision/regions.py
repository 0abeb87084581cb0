"""Boxes of a feature map, pooled without running the network again (the shared road)."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_regions(features: Tensor, boxes: Tensor) -> Tensor:
    """(h, w, C) map, (N, 4) boxes x0 y0 x1 y1 as fractions → (N, C): area-weighted means, borders cut cells in part.

    By a summed-area table that is read between its points, so each box takes constant time.
    """
    height, width, channels = features.shape
    table = features.new_zeros(height + 1, width + 1, channels, dtype=torch.float32)
    table[1:, 1:] = features.float().cumsum(0).cumsum(1)
    scale = torch.tensor([width, height, width, height], dtype=torch.float32, device=features.device)
    x0, y0, x1, y1 = (boxes.to(features.device, torch.float32) * scale).unbind(1)
    area = ((x1 - x0) * (y1 - y0)).clamp(min=1e-9)
    total = _at(table, x1, y1) - _at(table, x0, y1) - _at(table, x1, y0) + _at(table, x0, y0)
    return total / area[:, None]


def pool_regions(features: Tensor, boxes: Tensor, bins: int) -> Tensor:
    """(h, w, C) map, (N, 4) boxes as fractions → (N, bins, bins, C): the maximum over the cells that each bin touches.

    A bin smaller than a cell takes the cell. Bins that are alike in many boxes are computed once: rows and columns
    are pooled apart, over the distinct spans only.
    """
    height, width, _ = features.shape
    columns, column_of = _spans(boxes[:, 0], boxes[:, 2], width, bins)
    rows, row_of = _spans(boxes[:, 1], boxes[:, 3], height, bins)
    across = torch.stack([features[:, a:b].amax(1) for a, b in columns.tolist()])  # (columns, h, C)
    both = torch.stack([across[:, a:b].amax(1) for a, b in rows.tolist()])  # (rows, columns, C)
    return both[row_of[:, :, None], column_of[:, None, :]]


def _spans(low: Tensor, high: Tensor, size: int, bins: int) -> tuple[Tensor, Tensor]:
    """Distinct (first, last + 1) cell spans of all bins, and (N, bins) which of them each box's bins are."""
    steps = torch.arange(bins, dtype=torch.float64, device=low.device)
    width = ((high - low).double() * size / bins)[:, None]
    begin = low.double()[:, None] * size + steps * width
    first = (begin + 1e-6).floor().clamp(0, size - 1).long()
    last = (begin + width - 1e-6).ceil().clamp(max=size).long()
    spans = torch.stack([first, torch.maximum(last, first + 1)], -1)
    distinct, place = torch.unique(spans.reshape(-1, 2), dim=0, return_inverse=True)
    return distinct, place.view(-1, bins)


def _at(table: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(h + 1, w + 1, C) summed areas read at fractional places (N,) (N,) → (N, C)."""
    left, top = x.floor().long().clamp(0, table.shape[1] - 2), y.floor().long().clamp(0, table.shape[0] - 2)
    right, down = (x - left)[:, None], (y - top)[:, None]
    upper = table[top, left] * (1 - right) + table[top, left + 1] * right
    lower = table[top + 1, left] * (1 - right) + table[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down
