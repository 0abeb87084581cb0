"""Backgrounds: a sky and a ground, each a gradient, with a little life strewn over them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from avterm.corpus.demo.rules import Place, colours
from avterm.corpus.demo.shapes import Colour, shade, smooth, tone

_JITTER = 12  # of each channel of a colour


def paint(place: Place, size: tuple[int, int], rng: np.random.Generator) -> tuple[Image.Image, float]:
    """An RGB picture of `size` (width, height) without things, and its horizon as a share of its height."""
    width, height = size
    horizon = float(rng.uniform(*place.horizon))
    line = round(horizon * height)
    rows = np.empty((height, 3), np.float32)
    rows[:line] = _gradient(_jittered(place.sky, rng), line)
    rows[line:] = _gradient(_jittered(place.ground, rng), height - line)
    picture = Image.fromarray(np.broadcast_to(rows[:, None, :].astype(np.uint8), (height, width, 3)).copy())
    draw = ImageDraw.Draw(picture)
    for name in place.details:
        _DETAILS[name](draw, size, line, place, rng)
    return picture, horizon


def _jittered(names: tuple[str, str], rng: np.random.Generator) -> np.ndarray:
    base = np.array([shade(colours(), name) for name in names], np.float32)
    return np.clip(base + rng.uniform(-_JITTER, _JITTER, 3), 0, 255)


def _gradient(ends: np.ndarray, count: int) -> np.ndarray:
    return ends[0] + np.linspace(0, 1, max(count, 1), dtype=np.float32)[:count, None] * (ends[1] - ends[0])


def _colour(name: str) -> Colour:
    return shade(colours(), name)


Detail = Callable[[ImageDraw.ImageDraw, tuple[int, int], int, Place, np.random.Generator], None]


def _clouds(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator
) -> None:
    fill = tone(_colour(place.sky[1]), 0.45)
    for _ in range(rng.integers(1, 4)):
        x, y, r = rng.uniform(0, size[0]), rng.uniform(0, 0.6 * line), rng.uniform(5, 11)
        for dx, dy, k in ((-1.6, 0.3, 0.8), (0, 0, 1.2), (1.5, 0.2, 0.9)):
            draw.ellipse(
                [x + dx * r - 1.4 * k * r, y + dy * r - k * r, x + dx * r + 1.4 * k * r, y + dy * r + k * r], fill
            )


def _dots(draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator) -> None:
    for x, y in rng.uniform((0, 0), (size[0], max(line, 1)), (40, 2)):
        draw.point([(x, y), (x + 1, y)], (210, 210, 230))


def _hills(draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator) -> None:
    for depth in (0.22, -0.12):
        xs = np.linspace(-10, size[0] + 10, 6)
        ys = line - rng.uniform(0.02, 0.12 if depth > 0 else 0.06, 6) * size[1]
        ridge = smooth(np.stack([xs, ys], 1), False)
        outline = [(float(x), float(y)) for x, y in ridge]
        draw.polygon([*outline, (size[0] + 10, line), (-10, line)], tone(_colour(place.ground[0]), depth))


def _waves(draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator) -> None:
    fill = tone(_colour(place.ground[0]), 0.35)
    for x, y in rng.uniform((0, line + 3), (size[0], size[1]), (26, 2)):
        w = 4 + 14 * (y - line) / max(size[1] - line, 1)
        draw.arc([x - w, y - w / 3, x, y + w / 3], 20, 160, fill, 1)
        draw.arc([x, y - w / 3, x + w, y + w / 3], 20, 160, fill, 1)


def _blades(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator
) -> None:
    light, dark = tone(_colour(place.ground[0]), 0.25), tone(_colour(place.ground[1]), -0.25)
    for i, (x, y, lean) in enumerate(rng.uniform((0, line + 3, -2), (size[0], size[1], 2), (70, 3))):
        draw.line([(x, y), (x + lean, y - 5)], dark if i % 2 else light, 1)


def _dunes(draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator) -> None:
    for step in range(3):
        xs = np.linspace(-10, size[0] + 10, 5)
        ys = line + (step * 0.33) * (size[1] - line) + rng.uniform(-0.05, 0.05, 5) * size[1]
        ridge = smooth(np.stack([xs, ys], 1), False)
        outline = [(float(x), float(y)) for x, y in ridge]
        fill = tone(_colour(place.ground[0]), 0.12 - 0.12 * step)
        draw.polygon([*outline, (size[0] + 10, size[1]), (-10, size[1])], fill)


def _flakes(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator
) -> None:
    for x, y, r in rng.uniform((0, 0, 0.6), (size[0], size[1], 1.6), (60, 3)):
        draw.ellipse([x - r, y - r, x + r, y + r], (252, 253, 255))


def _boards(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator
) -> None:
    fill = tone(_colour(place.ground[1]), -0.25)
    for x in np.linspace(-0.6, 1.6, 14) * size[0]:
        draw.line([(size[0] / 2 + (x - size[0] / 2) * 0.6, line), (x, size[1])], fill, 1)
    draw.line([(0, line), (size[0], line)], fill, 2)


def _stripes(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], line: int, place: Place, rng: np.random.Generator
) -> None:
    fill, step = tone(_colour(place.sky[1]), -0.08), int(rng.integers(18, 34))
    for x in range(int(rng.integers(0, step)), size[0], step):
        draw.line([(x, 0), (x, line)], fill, 2)


_DETAILS: dict[str, Detail] = {
    "clouds": _clouds,
    "dots": _dots,
    "hills": _hills,
    "waves": _waves,
    "blades": _blades,
    "dunes": _dunes,
    "flakes": _flakes,
    "boards": _boards,
    "stripes": _stripes,
}
