"""All 657 grid crops of a 500 x 375 picture at 224 x 224, against Pillow one by one."""

from __future__ import annotations

import numpy as np
from PIL import Image

from avterm.config import GroundingConfig
from avterm.grounding.proposals import box_proposals
from avterm.vision.crops import crops
from tests.benchmarks.rows import Row, faster

WIDTH, HEIGHT, SIZE = 500, 375, 224


def rows() -> list[Row]:
    """Ten times as fast, and no value further off than 2."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    boxes = box_proposals(WIDTH, HEIGHT, GroundingConfig()) / 10 * [WIDTH, HEIGHT, WIDTH, HEIGHT]
    off = int(np.abs(crops(picture, boxes, SIZE).astype(int) - by_pillow(picture, boxes)).max())
    if off > 2:
        raise ValueError(f"crops differ from Pillow's by {off}; at most 2 was promised")
    return [
        faster(
            f"{len(boxes)} crops of {WIDTH} x {HEIGHT} at {SIZE} x {SIZE}",
            "Pillow, crop and resize one by one",
            lambda: crops(picture, boxes, SIZE),
            lambda: by_pillow(picture, boxes),
            10.0,
            f"values differ by {off} at most",
        )
    ]


def by_pillow(picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """uint8 (N, SIZE, SIZE, 3) as Pillow makes them."""
    image, out = Image.fromarray(picture), np.empty((len(boxes), SIZE, SIZE, 3), np.uint8)
    for i, box in enumerate(np.floor(boxes + 0.5).astype(int).tolist()):
        out[i] = np.asarray(image.crop(tuple(box)).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    return out
