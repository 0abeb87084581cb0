"""Many crops of one picture, each resized to the same square with antialiased bilinear filtering.

Boxes on a grid share their borders: each distinct pair of left and right border is resized across once, over all rows,
and every box then only resizes down its own rows. The filter is the triangle that Pillow's BILINEAR uses, its support
stretched by the scale where the crop shrinks, so results differ from crop-then-resize by rounding alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange


def crop_and_resize(picture: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H, W, 3) picture, int (N, 4) boxes x0 y0 x1 y1 in whole pixels → uint8 (N, size, size, 3).

    ValueError where a box is empty or reaches outside the picture.
    """
    picture = np.ascontiguousarray(picture, dtype=np.uint8)
    boxes = np.ascontiguousarray(boxes, dtype=np.int64).reshape(-1, 4)
    height, width = picture.shape[:2]
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"expected (H, W, 3) pixels, found {picture.shape}")
    bad = (
        (boxes[:, :2] < 0).any(1)
        | (boxes[:, 2] > width)
        | (boxes[:, 3] > height)
        | (boxes[:, 2:] <= boxes[:, :2]).any(1)
    )
    if bad.any():
        raise ValueError(f"box {boxes[bad][0].tolist()} does not lie within {width} x {height}")
    out = np.empty((len(boxes), size, size, 3), np.uint8)
    across, place = np.unique(boxes[:, [0, 2]], axis=0, return_inverse=True)
    down, row_place = np.unique(boxes[:, [1, 3]], axis=0, return_inverse=True)
    first_row = np.full(len(across), height)
    last_row = np.zeros(len(across), np.int64)
    np.minimum.at(first_row, place.reshape(-1), boxes[:, 1])
    np.maximum.at(last_row, place.reshape(-1), boxes[:, 3])
    starts_x, weights_x = _filters(across, size)
    starts_y, weights_y = _filters(down, size)
    order = np.argsort(place.reshape(-1), kind="stable")
    bounds = np.searchsorted(place.reshape(-1)[order], np.arange(len(across) + 1))
    _crops(
        picture,
        out,
        order,
        bounds,
        first_row,
        last_row,
        starts_x,
        weights_x,
        row_place.reshape(-1),
        starts_y,
        weights_y,
    )
    return out


def _filters(spans: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """For each span [a, b) and output place: the first input pixel, and the weights from there on, summing to 1."""
    lengths = (spans[:, 1] - spans[:, 0]).astype(np.float64)
    scale = lengths / size
    support = np.maximum(scale, 1.0)
    taps = int(np.ceil(support.max() * 2)) + 2
    centre = (np.arange(size) + 0.5)[None] * scale[:, None]
    first = np.maximum(0, np.floor(centre - support[:, None] + 0.5)).astype(np.int64)
    last = np.minimum(lengths[:, None], np.floor(centre + support[:, None] + 0.5)).astype(np.int64)
    at = first[..., None] + np.arange(taps)
    weight = np.maximum(0, 1 - np.abs(at + 0.5 - centre[..., None]) / support[:, None, None])
    weight[at >= last[..., None]] = 0
    weight /= weight.sum(-1, keepdims=True)
    return first + spans[:, :1], weight.astype(np.float32)


@njit(cache=True, parallel=True, fastmath=True)
def _crops(  # type: ignore[no-untyped-def]
    picture, out, order, bounds, first_row, last_row, starts_x, weights_x, row_place, starts_y, weights_y
):
    size = out.shape[1]
    taps_x, taps_y = weights_x.shape[2], weights_y.shape[2]
    for column in prange(bounds.shape[0] - 1):
        top = first_row[column]
        rows = last_row[column] - top
        narrow = np.empty((rows, size * 3), np.float32)
        for y in range(rows):
            for x in range(size):
                start = starts_x[column, x]
                red = np.float32(0.0)
                green = np.float32(0.0)
                blue = np.float32(0.0)
                for t in range(taps_x):
                    weight = weights_x[column, x, t]
                    if weight != 0.0:
                        red += weight * picture[top + y, start + t, 0]
                        green += weight * picture[top + y, start + t, 1]
                        blue += weight * picture[top + y, start + t, 2]
                narrow[y, 3 * x] = np.float32(np.int64(red + np.float32(0.5)))
                narrow[y, 3 * x + 1] = np.float32(np.int64(green + np.float32(0.5)))
                narrow[y, 3 * x + 2] = np.float32(np.int64(blue + np.float32(0.5)))
        line = np.empty(size * 3, np.float32)
        for b in range(bounds[column], bounds[column + 1]):
            box = order[b]
            span = row_place[box]
            for y in range(size):
                start = starts_y[span, y] - top
                line[:] = np.float32(0.5)
                for t in range(taps_y):
                    weight = weights_y[span, y, t]
                    if weight != 0.0:
                        source = narrow[start + t]
                        for x in range(size * 3):
                            line[x] += weight * source[x]
                for x in range(size):
                    out[box, y, x, 0] = np.uint8(line[3 * x])
                    out[box, y, x, 1] = np.uint8(line[3 * x + 1])
                    out[box, y, x, 2] = np.uint8(line[3 * x + 2])
