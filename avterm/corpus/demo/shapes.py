"""A small drawing language: one shape a line, in units of the thing's own box (see data/demo/things.toml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from avterm.errors import ConfigError

Colour = tuple[int, int, int]

EDGE = 1.1  # width of a filled shape's edge, in units
SUPERSAMPLING = 2
_MARGIN = 2  # pixels around a drawing, so that edges are not cut
_CURVE_STEPS = 6

# how many numbers come before the points, and how many numbers a shape has in all (0: any even number of points)
_WIDTHS = {"box": 0, "oval": 0, "poly": 0, "blob": 0, "line": 1, "curve": 1, "arc": 1, "pie": 0}
_COUNTS = {"box": 4, "oval": 4, "arc": 7, "pie": 6}


@dataclass(frozen=True, slots=True)
class Shape:
    """One line of a drawing, read: `numbers` without the options, which are `r`, `n`, `dx`, `dy` and `bare`."""

    kind: str
    colour: str
    numbers: tuple[float, ...]
    radius: float = 0.0
    times: int = 1
    step: tuple[float, float] = (0.0, 0.0)
    bare: bool = False


def parse(text: str, where: str) -> tuple[Shape, ...]:
    """The shapes of a drawing; ConfigError names the line that is none."""
    return tuple(_parse_line(line, where) for line in text.splitlines() if line.strip())


def render(
    shapes: tuple[Shape, ...], size: tuple[float, float], scale: float, colours: Mapping[str, Colour]
) -> Image.Image:
    """The drawing as an RGBA picture with a clear ground, `scale` pixels a unit, drawn at twice that and not reduced.

    `colours` maps the names that the shapes use, without their + and -, to red, green, blue.
    """
    s = scale * SUPERSAMPLING
    tile = Image.new("RGBA", (round(size[0] * s) + 2 * _MARGIN, round(size[1] * s) + 2 * _MARGIN), (0, 0, 0, 0))
    draw = ImageDraw.Draw(tile)
    for shape in shapes:
        fill = shade(colours, shape.colour)
        edge = None if shape.bare else tone(fill, -0.45)
        for time in range(shape.times):
            _draw(draw, shape, time, s, fill, edge)
    return tile


def shade(colours: Mapping[str, Colour], name: str) -> Colour:
    """A colour by its name, each + or - after it making it lighter or darker."""
    base = name.rstrip("+-")
    steps = name.count("+") - name.count("-")
    return tone(colours[base], 0.28 * steps) if steps else colours[base]


def tone(colour: Colour, amount: float) -> Colour:
    """`colour` moved towards white (amount up to 1) or black (down to -1)."""
    goal = 255 if amount > 0 else 0
    a = min(abs(amount), 1.0)
    red, green, blue = (round(c + (goal - c) * a) for c in colour)
    return red, green, blue


def smooth(points: np.ndarray, closed: bool) -> np.ndarray:
    """A Catmull-Rom curve through `points` (n, 2), `_CURVE_STEPS` points from one to the next."""
    before = np.roll(points, 1, 0) if closed else np.concatenate([points[:1], points[:-1]])
    after = np.roll(points, -1, 0) if closed else np.concatenate([points[1:], points[-1:]])
    beyond = np.roll(points, -2, 0) if closed else np.concatenate([points[2:], points[-1:], points[-1:]])
    t = (np.arange(_CURVE_STEPS) / _CURVE_STEPS)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (before, points, after, beyond))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    flat = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat[: -_CURVE_STEPS + 1], points[-1:]])


def _draw(draw: ImageDraw.ImageDraw, shape: Shape, time: int, s: float, fill: Colour, edge: Colour | None) -> None:
    width = _WIDTHS[shape.kind]
    angles = shape.numbers[-2:] if shape.kind in ("arc", "pie") else ()
    flat = shape.numbers[width : len(shape.numbers) - len(angles)]
    points = (np.array(flat).reshape(-1, 2) + time * np.array(shape.step)) * s + _MARGIN
    thick = max(1, round((shape.numbers[0] if width else EDGE) * s))
    xy = [(float(x), float(y)) for x, y in points]
    if shape.kind == "box":
        draw.rounded_rectangle(xy, shape.radius * s, fill, edge, thick)
    elif shape.kind == "oval":
        draw.ellipse(xy, fill, edge, thick)
    elif shape.kind == "pie":
        draw.pieslice(xy, angles[0], angles[1], fill, edge, thick)
    elif shape.kind == "arc":
        draw.arc(xy, angles[0], angles[1], fill, thick)
    elif shape.kind in ("line", "curve"):
        path = smooth(points, False) if shape.kind == "curve" else points
        draw.line([(float(x), float(y)) for x, y in path], fill, thick, joint="curve")
    else:
        path = smooth(points, True) if shape.kind == "blob" else points
        outline = [(float(x), float(y)) for x, y in path]
        draw.polygon(outline, fill)
        if edge is not None:
            draw.line([*outline, *outline[:2]], edge, thick, joint="curve")


def _parse_line(line: str, where: str) -> Shape:
    kind, *rest = line.split()
    if kind not in _WIDTHS or not rest:
        raise ConfigError(f"{where}: {line!r}: expected one of {', '.join(_WIDTHS)}, a colour and numbers")
    options = dict(part.split("=", 1) for part in rest[1:] if "=" in part)
    try:
        numbers = tuple(float(part) for part in rest[1:] if "=" not in part and part != "bare")
        shape = Shape(
            kind,
            rest[0],
            numbers,
            radius=float(options.pop("r", 0)),
            times=int(options.pop("n", 1)),
            step=(float(options.pop("dx", 0)), float(options.pop("dy", 0))),
            bare="bare" in rest,
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {line!r}: {error}") from None
    expected = _COUNTS.get(kind)
    points = len(numbers) - _WIDTHS[kind]
    if options or (len(numbers) != expected if expected else points < 4 or points % 2):
        raise ConfigError(f"{where}: {line!r}: wrong count of numbers, or an option that is none of r, n, dx, dy")
    return shape
