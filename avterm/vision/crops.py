"""Crops of a picture, all resized to the square that the backbone sees (section 4, exact road)."""

from __future__ import annotations

import numpy as np
from avterm_kernels.crops import crop_and_resize


def crops(picture: np.ndarray, boxes: np.ndarray, size: int = 224) -> np.ndarray:
    """uint8 (H, W, 3) picture, float (N, 4) boxes x0 y0 x1 y1 in pixels → uint8 (N, size, size, 3).

    Borders are rounded to whole pixels; a box keeps at least one pixel each way. Antialiased bilinear.
    """
    height, width = picture.shape[:2]
    limits = np.array([width, height, width, height])
    whole = np.clip(np.floor(np.asarray(boxes, np.float64).reshape(-1, 4) + 0.5).astype(np.int64), 0, limits)
    whole[:, :2] = np.minimum(whole[:, :2], limits[:2] - 1)
    whole[:, 2:] = np.maximum(whole[:, 2:], whole[:, :2] + 1)
    return crop_and_resize(picture, whole, size)
