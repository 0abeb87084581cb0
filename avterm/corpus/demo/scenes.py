"""A picture: two to four different things on a background, hardly overlapping, and the box of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from avterm.corpus.demo.backdrop import paint
from avterm.corpus.demo.rules import Place, Thing, colours, places, things
from avterm.corpus.demo.shapes import SUPERSAMPLING, Colour, render

SIZES = ((320, 240), (320, 320), (240, 320), (320, 256), (288, 320))

# longest side of a thing as a share of the picture's shorter side, by how many things there are
_SIDES = {2: (0.44, 0.62), 3: (0.4, 0.54), 4: (0.36, 0.48)}
_SHARES = (0.35, 0.4, 0.25)  # of pictures with two, three and four things
_OVERLAP = 0.04  # of the smaller of two boxes
_TRIES = 60
_SHRINKS = 4  # how often a thing that finds no room gets smaller
_TILT = 9.0  # degrees
_JITTER = 10  # of each channel of a colour
_NOISE = 5.0  # deviation of the grain over a thing and its ground, in grey levels

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing in a picture: its box in pixels (x0, y0, x1, y1), and the names of its colour and relative size."""

    thing: Thing
    box: Box
    colour: str
    size: str  # big | small | ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture, RGB, and what is in it."""

    picture: Image.Image
    place: Place
    things: tuple[Placed, ...]


def draw_scene(rng: np.random.Generator) -> Scene:
    """One scene; the same generator state gives the same pixels."""
    weights = np.array([place.weight for place in places()])
    place = places()[int(rng.choice(len(weights), p=weights / weights.sum()))]
    size = SIZES[int(rng.integers(len(SIZES)))]
    picture, horizon = paint(place, size, rng)
    count = int(rng.choice((2, 3, 4), p=_SHARES))
    chosen = [things()[i] for i in rng.choice(len(things()), count, replace=False)]
    placed: list[Placed] = []
    for thing in chosen:
        side = float(rng.uniform(*_SIDES[count])) * min(size)
        colour = thing.main[int(rng.integers(len(thing.main)))]
        tile = _tile(thing, colour, side, rng)
        corner, crowded = _corner(thing, tile.size, size, horizon, [p.box for p in placed], rng)
        for _ in range(_SHRINKS):
            if crowded <= _OVERLAP:
                break
            side *= 0.85
            tile = tile.resize((round(tile.width * 0.85), round(tile.height * 0.85)), Image.Resampling.BILINEAR)
            corner, crowded = _corner(thing, tile.size, size, horizon, [p.box for p in placed], rng)
        picture.paste(tile, corner, tile)
        x, y = corner
        box = (float(x), float(y), float(x + tile.width), float(y + tile.height))
        low, high = _SIDES[count]
        third = (side / min(size) - low) / (high - low)
        placed.append(Placed(thing, box, colour, "big" if third > 0.67 else "small" if third < 0.33 else ""))
    return Scene(_grain(picture, rng), place, tuple(placed))


def _tile(thing: Thing, colour: str, side: float, rng: np.random.Generator) -> Image.Image:
    """The thing alone, RGBA, cut to what is drawn, its longest side about `side` pixels."""
    palette = _jittered(rng)
    second = thing.second[int(rng.integers(len(thing.second)))]
    others = [name for name in thing.second if name != colour]
    palette["main"] = palette[colour]
    palette["second"] = palette[second if second != colour or not others else others[0]]
    tile = render(thing.shapes, thing.size, side / max(thing.size), palette).reduce(SUPERSAMPLING)
    if rng.random() < 0.5:
        tile = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    angle = float(rng.uniform(-_TILT, _TILT))
    if abs(angle) > 2:
        tile = tile.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    return tile.crop(tile.getchannel("A").point(lambda a: 255 if a > 64 else 0).getbbox())


def _jittered(rng: np.random.Generator) -> dict[str, Colour]:
    """Every colour, a little off."""
    values = np.array(list(colours().values()))
    values = np.clip(values + rng.integers(-_JITTER, _JITTER + 1, values.shape), 0, 255)
    return {name: (r, g, b) for name, (r, g, b) in zip(colours(), values.tolist(), strict=True)}


def _corner(
    thing: Thing,
    tile: tuple[int, int],
    size: tuple[int, int],
    horizon: float,
    boxes: list[Box],
    rng: np.random.Generator,
) -> tuple[tuple[int, int], float]:
    """Where the thing's tile goes, and the share of it or of another thing that is then shared.

    Among random corners this is the first without any overlap, else the least bad."""
    best, least, shared = (0, 0), np.inf, 0.0
    room_x, room_y = max(size[0] - tile[0], 0), max(size[1] - tile[1], 0)
    for attempt in range(_TRIES):
        x, y = int(rng.integers(room_x + 1)), int(rng.integers(room_y + 1))
        foot = (y + tile[1]) / size[1]
        wrong = (thing.place == "ground" and foot < horizon) or (thing.place == "sky" and foot > max(horizon, 0.75))
        crowded = max((_overlap((x, y, x + tile[0], y + tile[1]), box) for box in boxes), default=0.0)
        cost = crowded + (0.03 if wrong else 0.0)
        if cost < least:
            best, least, shared = (x, y), cost, crowded
        if cost <= (0.0 if attempt < _TRIES // 2 else _OVERLAP):
            break
    return best, shared


def _overlap(a: Box, b: Box) -> float:
    """The shared area as a share of the smaller box."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / smaller


def _grain(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture with a coarse grain, as of paper, so that no stretch of it is one flat colour."""
    pixels = np.asarray(picture, np.int16)
    height, width = pixels.shape[:2]
    grain = rng.normal(0, _NOISE, (height // 2 + 1, width // 2 + 1)).astype(np.int16)
    grain = grain.repeat(2, 0).repeat(2, 1)[:height, :width, None]
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
