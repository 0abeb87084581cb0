"""Crops equal Pillow's crop-and-resize within 2 of 255, for grids and for any other boxes, on any number of threads."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from avterm_kernels.crops import crop_and_resize
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from avterm.config import GroundingConfig
from avterm.grounding.proposals import box_proposals
from avterm.vision.crops import crops


def by_pillow(picture: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    image = Image.fromarray(picture)
    made = [image.crop(tuple(b)).resize((size, size), Image.Resampling.BILINEAR) for b in boxes.tolist()]
    return np.stack([np.asarray(m) for m in made])


def off(ours: np.ndarray, theirs: np.ndarray) -> int:
    return int(np.abs(ours.astype(int) - theirs).max(initial=0))


@pytest.mark.parametrize(("width", "height"), [(500, 375), (333, 500), (64, 64), (1600, 900)])
def test_the_grid_of_a_picture(width: int, height: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    boxes = box_proposals(width, height, GroundingConfig())[::41] / 10 * [width, height, width, height]
    whole = np.floor(boxes + 0.5).astype(np.int64)
    assert off(crops(picture, boxes, 64), by_pillow(picture, whole, 64)) <= 2
    assert off(crops(picture, boxes[:4]), by_pillow(picture, whole[:4], 224)) <= 2


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([2, 256]))
@settings(max_examples=60, deadline=None)
def test_any_boxes_of_any_picture(width: int, height: int, size: int, seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    picture = (rng.integers(0, levels, (height, width, 3)) * (255 // (levels - 1))).astype(np.uint8)
    x, y = np.sort(rng.integers(0, width + 1, (12, 2)), 1), np.sort(rng.integers(0, height + 1, (12, 2)), 1)
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1)
    boxes = boxes[(x[:, 1] > x[:, 0]) & (y[:, 1] > y[:, 0])]
    found = crop_and_resize(picture, boxes, size)
    assert found.shape == (len(boxes), size, size, 3)
    if len(boxes):
        assert off(found, by_pillow(picture, boxes, size)) <= 2


def test_one_thread_and_many_agree_and_so_do_parts() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    boxes = box_proposals(160, 120, GroundingConfig())[::7] / 10 * [160, 120, 160, 120]
    many = crops(picture, boxes, 32)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        np.testing.assert_array_equal(crops(picture, boxes, 32), many)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(crops(picture, boxes[5:9], 32), many[5:9])


def test_little_memory_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    boxes = box_proposals(80, 60, GroundingConfig())[::11] / 10 * [80, 60, 80, 60]
    whole = crops(picture, boxes, 24)
    monkeypatch.setattr("avterm_kernels.crops._MOST_BYTES", 1)
    np.testing.assert_array_equal(crops(picture, boxes, 24), whole)


def test_one_colour_stays() -> None:
    for value in (0, 1, 127, 255):
        picture = np.full((50, 70, 3), value, np.uint8)
        assert (crops(picture, np.array([[0, 0, 70, 50], [3, 4, 21, 44]]), 33) == value).all()


def test_fractions_of_pixels_are_rounded_and_kept_inside() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    found = crops(picture, np.array([[1.4, 2.6, 9.5, 10.4], [-3, -3, 50, 50], [19.9, 5, 19.95, 6]]), 8)
    expected = by_pillow(picture, np.array([[1, 3, 10, 10], [0, 0, 20, 20], [19, 5, 20, 6]]), 8)
    assert off(found, expected) <= 2
    assert crops(picture, np.zeros((0, 4)), 8).shape == (0, 8, 8, 3)


@pytest.mark.parametrize("box", [[0, 0, 0, 5], [0, 5, 5, 4], [-1, 0, 5, 5], [0, 0, 11, 5], [0, 0, 5, 11]])
def test_the_kernel_refuses_boxes_that_cannot_be(box: list[int]) -> None:
    with pytest.raises(ValueError, match="does not lie within 10 x 10"):
        crop_and_resize(np.zeros((10, 10, 3), np.uint8), np.array([box]), 4)
    with pytest.raises(ValueError, match="expected"):
        crop_and_resize(np.zeros((10, 10), np.uint8), np.array([[0, 0, 5, 5]]), 4)
    with pytest.raises(ValueError, match="size"):
        crop_and_resize(np.zeros((10, 10, 3), np.uint8), np.array([[0, 0, 5, 5]]), 0)
