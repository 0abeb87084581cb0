"""Regions pooled from a map equal what a loop over its cells gives."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.vision.regions import mean_regions, pool_regions


def boxes_of(rng: np.random.Generator, count: int) -> np.ndarray:
    x, y = np.sort(rng.random((count, 2)), 1), np.sort(rng.random((count, 2)), 1)
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1] + 0.05, y[:, 1] + 0.05], 1)
    return np.clip(boxes, 0, 1)


def mean_by_cells(features: np.ndarray, box: np.ndarray) -> np.ndarray:
    height, width, _ = features.shape
    x0, y0, x1, y1 = box * [width, height, width, height]
    total, area = np.zeros(features.shape[2]), 0.0
    for y in range(height):
        for x in range(width):
            share = max(0, min(x + 1, x1) - max(x, x0)) * max(0, min(y + 1, y1) - max(y, y0))
            total += share * features[y, x]
            area += share
    return total / area


@given(st.integers(1, 11), st.integers(1, 11), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_means_are_weighted_by_area(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, boxes = rng.normal(size=(height, width, 5)), boxes_of(rng, 6)
    found = mean_regions(torch.from_numpy(features).float(), torch.from_numpy(boxes))
    np.testing.assert_allclose(found, [mean_by_cells(features, b) for b in boxes], atol=2e-4)


def test_the_whole_is_the_mean() -> None:
    features = torch.randn(7, 9, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        mean_regions(features, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0], features.mean((0, 1)), atol=1e-5, rtol=0
    )


@given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 7), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_maxima_are_over_the_cells_that_a_bin_touches(height: int, width: int, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, lines = rng.normal(size=(height, width, 3)).astype(np.float32), np.sort(rng.integers(0, 10, (5, 4)), 1)
    boxes = np.stack([lines[:, 0], lines[:, 1], lines[:, 2] + 1, lines[:, 3] + 1], 1) / 10
    found = pool_regions(torch.from_numpy(features), torch.from_numpy(boxes).float(), bins)
    for n, (x0, y0, x1, y1) in enumerate(boxes):
        for j in range(bins):
            for i in range(bins):
                rows = span(y0, y1, height, bins, j)
                columns = span(x0, x1, width, bins, i)
                np.testing.assert_array_equal(found[n, j, i], features[rows, columns].max((0, 1)))


def span(low: float, high: float, size: int, bins: int, place: int) -> slice:
    step = (high - low) * size / bins
    first = min(max(math.floor(low * size + place * step + 1e-5), 0), size - 1)
    last = min(math.ceil(low * size + (place + 1) * step - 1e-5), size)
    return slice(first, max(last, first + 1))
