"""Many crops of one picture, each resized to the same square with antialiased bilinear filtering.

Boxes on a grid share their borders: each distinct pair of left and right border is resized across once, over all rows
that its boxes need, and every box then only resizes down its own rows. The filter is the triangle that Pillow's
BILINEAR uses, its support stretched by the scale where the crop shrinks, so results differ from crop-then-resize by
rounding alone: up to four taps are summed in sixteen bits (weights in 1/256), more in floating point.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_MOST_BYTES = 64 << 20  # of pictures resized across, at a time
_ONE = 256  # what a row's whole weights sum to


def crop_and_resize(picture: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H, W, 3) picture, int (N, 4) boxes x0 y0 x1 y1 in whole pixels → uint8 (N, size, size, 3).

    Within 2 of Pillow's `crop(box).resize((size, size), BILINEAR)`. ValueError where the picture is not (H, W, 3), the
    size not positive, or a box is empty or reaches outside the picture.
    """
    picture = np.ascontiguousarray(picture, dtype=np.uint8)
    boxes = np.ascontiguousarray(boxes, dtype=np.int64).reshape(-1, 4)
    _check(picture, boxes, size)
    height = picture.shape[0]
    out = np.empty((len(boxes), size, size * 3), np.uint8)
    across, column = np.unique(boxes[:, [0, 2]], axis=0, return_inverse=True)
    down, span = np.unique(boxes[:, [1, 3]], axis=0, return_inverse=True)
    column, span = column.reshape(-1), span.reshape(-1)
    top = np.full(len(across), height)
    bottom = np.zeros(len(across), np.int64)
    np.minimum.at(top, column, boxes[:, 1])
    np.maximum.at(bottom, column, boxes[:, 3])
    order = np.argsort(column, kind="stable")
    bounds = np.searchsorted(column[order], np.arange(len(across) + 1))
    filter_x, filter_y = _filters(across, size), _filters(down, size)
    sideways = np.ascontiguousarray(picture.transpose(1, 0, 2)).reshape(picture.shape[1], height * 3)
    at_once = max(_MOST_BYTES // (height * size * 3), 1)
    for first in range(0, len(across), at_once):
        columns = np.arange(first, min(first + at_once, len(across)))
        mine = order[bounds[columns[0]] : bounds[columns[-1] + 1]]
        narrow = np.empty((len(columns), height, size * 3), np.uint8)
        _across(sideways, narrow, top[columns], bottom[columns], *(part[columns] for part in filter_x[:3]))
        _down(narrow, out, mine, column[mine] - first, span[mine], *filter_y)
    return out.reshape(len(boxes), size, size, 3)


def _check(picture: np.ndarray, boxes: np.ndarray, size: int) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"expected (H, W, 3) pixels, found {picture.shape}")
    if size < 1:
        raise ValueError(f"expected a size of at least 1, found {size}")
    height, width = picture.shape[:2]
    outside = (boxes[:, :2] < 0).any(1) | (boxes[:, 2] > width) | (boxes[:, 3] > height)
    bad = outside | (boxes[:, 2:] <= boxes[:, :2]).any(1)
    if bad.any():
        raise ValueError(f"box {boxes[bad][0].tolist()} does not lie within {width} x {height}")


def _filters(spans: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What each place of each resized span [a, b) is made of.

    Returns int64 (S, size) the first input pixel, int64 (S, size) how many (taps), float32 (S, size, most taps)
    weights that sum to 1, and the same as int64 that sum to 256, of use for up to four taps.
    """
    lengths = (spans[:, 1] - spans[:, 0]).astype(np.float64)
    scale = lengths / size
    support = np.maximum(scale, 1.0)
    centre = (np.arange(size) + 0.5)[None] * scale[:, None]
    first = np.maximum(0, np.floor(centre - support[:, None] + 0.5)).astype(np.int64)
    last = np.minimum(lengths[:, None], np.floor(centre + support[:, None] + 0.5)).astype(np.int64)
    most = int((last - first).max(initial=1))
    at = first[..., None] + np.arange(most)
    weight = np.maximum(0, 1 - np.abs(at + 0.5 - centre[..., None]) / support[:, None, None])
    weight[at >= last[..., None]] = 0
    weight /= weight.sum(-1, keepdims=True)
    whole = np.rint(weight * _ONE).astype(np.int64)
    largest = whole.argmax(-1)[..., None]
    rest = _ONE - whole.sum(-1, keepdims=True)
    np.put_along_axis(whole, largest, np.take_along_axis(whole, largest, -1) + rest, -1)
    return first + spans[:, :1], last - first, weight.astype(np.float32), whole


@njit(cache=True, parallel=True, fastmath=True)
def _across(sideways, narrow, top, bottom, starts, taps, weights):  # type: ignore[no-untyped-def]
    """Sideways (W, H·3) → narrow (columns, H, size·3), rows top to bottom; whole columns of pixels at a time."""
    size = starts.shape[1]
    for column in prange(narrow.shape[0]):
        begin, end = 3 * top[column], 3 * bottom[column]
        line = np.empty(end - begin, np.float32)
        for x in range(size):
            line[:] = np.float32(0.5)
            for t in range(taps[column, x]):
                weight = weights[column, x, t]
                source = sideways[starts[column, x] + t, begin:end]
                for i in range(line.shape[0]):
                    line[i] += weight * np.float32(source[i])
            for y in range(bottom[column] - top[column]):
                row = top[column] + y
                narrow[column, row, 3 * x] = np.uint8(line[3 * y])
                narrow[column, row, 3 * x + 1] = np.uint8(line[3 * y + 1])
                narrow[column, row, 3 * x + 2] = np.uint8(line[3 * y + 2])


@njit(cache=True, parallel=True, fastmath=True)
def _down(narrow, out, boxes, column, span, starts, taps, weights, whole):  # type: ignore[no-untyped-def]
    """Narrow (columns, H, size·3) → out[boxes] (size, size·3); whole rows at a time."""
    size = out.shape[1]
    for i in prange(boxes.shape[0]):
        source, s = narrow[column[i]], span[i]
        for y in range(size):
            start, count = starts[s, y], taps[s, y]
            target = out[boxes[i], y]
            if count <= 4:
                _few_rows(source, start, count, whole[s, y], target)
            else:
                _many_rows(source, start, count, weights[s, y], target)


@njit(cache=True, inline="always")
def _few_rows(source, start, count, whole, target):  # type: ignore[no-untyped-def]
    """Up to four rows, in sixteen bits: 255 · 256 + 128 just fits."""
    a, w = source[start], whole[0]
    if count == 1:
        target[:] = a
    elif count == 2:
        b, v = source[start + 1], whole[1]
        for x in range(target.shape[0]):
            target[x] = np.uint8((a[x] * w + b[x] * v + 128) >> 8)
    elif count == 3:
        b, v, c, u = source[start + 1], whole[1], source[start + 2], whole[2]
        for x in range(target.shape[0]):
            target[x] = np.uint8((a[x] * w + b[x] * v + c[x] * u + 128) >> 8)
    else:
        b, v, c, u, d, t = source[start + 1], whole[1], source[start + 2], whole[2], source[start + 3], whole[3]
        for x in range(target.shape[0]):
            target[x] = np.uint8((a[x] * w + b[x] * v + c[x] * u + d[x] * t + 128) >> 8)


@njit(cache=True, inline="always")
def _many_rows(source, start, count, weights, target):  # type: ignore[no-untyped-def]
    line = np.full(target.shape[0], np.float32(0.5))
    for t in range(count):
        row, weight = source[start + t], weights[t]
        for x in range(target.shape[0]):
            line[x] += weight * np.float32(row[x])
    for x in range(target.shape[0]):
        target[x] = np.uint8(line[x])
