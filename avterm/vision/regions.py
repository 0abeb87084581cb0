"""Boxes of a feature map, pooled without running the network again (the shared road)."""

from __future__ import annotations

import torch
from torch import Tensor

_FINE = 1 << 30  # steps across a picture that tell spans apart


def mean_regions(features: Tensor, boxes: Tensor) -> Tensor:
    """(h, w, C) map, (N, 4) boxes x0 y0 x1 y1 as fractions → (N, C): area-weighted means, borders cut cells in part.

    A box's mean is a mean over its columns of means over its rows, and boxes of a grid share their borders: two small
    matrix products give every distinct pair of spans, from which each box takes its own. Any box costs the same.
    """
    height, width, channels = features.shape
    places = boxes.to(features.device, torch.float64)
    across, column_of = _mean_weights(places[:, 0], places[:, 2], width)
    down, row_of = _mean_weights(places[:, 1], places[:, 3], height)
    columns = torch.matmul(across, features.float())  # (h, X, C)
    if len(down) * len(across) > 4 * len(boxes):  # boxes of no grid: one by one
        return torch.einsum("nh,hnc->nc", down[row_of], columns[:, column_of])
    both = down @ columns.reshape(height, -1)  # (Y, X · C)
    return both.view(-1, channels).index_select(0, row_of * len(across) + column_of)


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


def _mean_weights(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(N,) both ends as fractions → float32 (spans, size) each distinct span's share of every cell, rows summing to 1,
    and int64 (N,) which span each is. An end may cut a cell; a span without length takes the cell that it lies in."""
    keys = (low * _FINE).round().long() * (2 * _FINE) + (high * _FINE).round().long()
    spans, place = torch.unique(keys, return_inverse=True)
    begin, end = (ends[:, None] * (size / _FINE) for ends in (spans // (2 * _FINE), spans % (2 * _FINE)))
    cells = torch.arange(size, device=low.device, dtype=torch.float64)
    middle = ((begin + end) / 2).floor().clamp(0, size - 1)
    inside = torch.where(
        end > begin, torch.minimum(end, cells + 1) - torch.maximum(begin, cells), (cells == middle) * 1.0
    )
    shares = inside.clamp(min=0)
    return (shares / shares.sum(1, keepdim=True)).float(), place
