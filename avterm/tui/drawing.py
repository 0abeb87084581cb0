"""Pictures of what a terminal cannot say in letters: spectrograms with segments, photographs with boxes (Figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

COLOURS = (
    "#ffb000", "#5ec8ff", "#ff5d8f", "#7ddf64", "#c792ea",
    "#ff8a5c", "#45d9c8", "#f0e442", "#9fb4ff", "#e07be0",
)  # fmt: skip
BACKGROUND = (16, 17, 22)
_HEAT = np.array(
    [[8, 8, 20], [46, 18, 92], [112, 31, 129], [183, 55, 121], [241, 96, 93], [254, 176, 120], [252, 253, 220]], float
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a caption in frames, its colour, and whether it is the one under the cursor."""

    start: int
    end: int
    colour: str
    strong: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """A box as fractions x0, y0, x1, y1 of the picture."""

    box: tuple[float, float, float, float]
    colour: str
    strong: bool = True


def colour(index: int) -> str:
    """The colour of a pair's grounding number `index`."""
    return COLOURS[index % len(COLOURS)]


def window(frames: int, marks: Sequence[Mark], most: int = 1200) -> tuple[int, int]:
    """The stretch of a caption to show: all of it, or `most` frames around the strong mark."""
    if frames <= most or not marks:
        return 0, max(frames, 1)
    mark = next((m for m in marks if m.strong), marks[0])
    middle = (mark.start + mark.end) // 2
    start = max(0, min(middle - most // 2, frames - most))
    return start, start + most


def spectrogram(
    mel: np.ndarray, size: tuple[int, int], marks: Sequence[Mark] = (), span: tuple[int, int] | None = None
) -> Image.Image:
    """Log-mel energies, low bands below, `span` of the frames wide; outside all marks it is dimmed.

    mel : float (frames, bands); size : pixels (width, height). A mark is a coloured band below and two upright lines.
    """
    width, height = max(size[0], 1), max(size[1], 1)
    start, end = span or (0, max(len(mel), 1))
    values = np.zeros((end - start, mel.shape[1] if mel.ndim == 2 and mel.shape[1] else 1))
    part = np.nan_to_num(np.asarray(mel[start:end], dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if part.size:
        low, high = np.percentile(part, (5, 99.5))
        values[: len(part)] = np.clip((part - low) / max(high - low, 1e-6), 0, 1)
    pixels = _heat(_resized(values.T[::-1], width, height))
    at = np.linspace(start, end, width, endpoint=False)
    inside = np.zeros(width, bool)
    for mark in marks:
        inside |= (at >= mark.start) & (at < mark.end)
    if marks:
        pixels[:, ~inside] = pixels[:, ~inside] * 0.4
    image = Image.fromarray(pixels.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    band = max(1, height // 14)
    for mark in sorted(marks, key=lambda m: m.strong):
        left = round((mark.start - start) / (end - start) * width)
        right = max(left + 1, round((mark.end - start) / (end - start) * width)) - 1
        thick = band * 2 if mark.strong else band
        draw.rectangle((left, height - thick, right, height - 1), fill=mark.colour)
        if mark.strong:
            draw.line((left, 0, left, height), fill=mark.colour)
            draw.line((right, 0, right, height), fill=mark.colour)
    return image


def photograph(
    picture: np.ndarray, size: tuple[int, int], boxes: Sequence[Box] = (), ratio: float = 1.0
) -> Image.Image:
    """The whole picture, as large as `size` pixels allow, on the background, with its boxes.

    picture : uint8 (H, W, 3); ratio : height of a pixel of `size` over its width.
    """
    width, height = max(size[0], 1), max(size[1], 1)
    scale = min(width / picture.shape[1], height * ratio / picture.shape[0])
    wide, high = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale / ratio))
    wide, high = min(wide, width), min(high, height)
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    left, top = (width - wide) // 2, (height - high) // 2
    canvas.paste(Image.fromarray(picture).resize((wide, high), Image.Resampling.BOX), (left, top))
    draw = ImageDraw.Draw(canvas)
    line = max(1, min(width, height) // 120)
    for box in sorted(boxes, key=lambda b: b.strong):
        x0, y0, x1, y1 = (min(max(float(v), 0.0), 1.0) if np.isfinite(v) else 0.0 for v in box.box)
        corners = (
            left + round(x0 * (wide - 1)), top + round(y0 * (high - 1)),
            left + round(max(x0, x1) * (wide - 1)), top + round(max(y0, y1) * (high - 1)),
        )  # fmt: skip
        if box.strong:
            draw.rectangle(corners, outline=box.colour, width=line * 2 if line > 1 else 1)
        else:
            draw.rectangle(corners, outline=_dim(box.colour), width=line)
    return canvas


def sheet(crops: Sequence[np.ndarray], size: tuple[int, int], ratio: float = 1.0) -> Image.Image:
    """Crops side by side, the first the most central, on as many rows as make them largest."""
    width, height = max(size[0], 1), max(size[1], 1)
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    if not crops:
        return canvas
    rows = max(range(1, len(crops) + 1), key=lambda r: min(width / -(-len(crops) // r), height * ratio / r))
    across = -(-len(crops) // rows)
    wide, high = width // across, height // rows
    for index, crop in enumerate(crops):
        tile = photograph(crop, (max(wide - 1, 1), max(high - 1, 1)), ratio=ratio)
        canvas.paste(tile, (index % across * wide, index // across * high))
    return canvas


def crop(picture: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """The pixels of a box given in fractions; at least one pixel."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (min(max(float(v), 0.0), 1.0) if np.isfinite(v) else 0.0 for v in box)
    left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
    return picture[top : max(top + 1, round(y1 * height)), left : max(left + 1, round(x1 * width))]


def _resized(values: np.ndarray, width: int, height: int) -> np.ndarray:
    image = Image.fromarray(np.round(values * 255).astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=np.float64) / 255


def _heat(values: np.ndarray) -> np.ndarray:
    steps = np.linspace(0, 1, len(_HEAT))
    return np.stack([np.interp(values, steps, _HEAT[:, c]) for c in range(3)], axis=-1)


def _dim(text: str) -> str:
    return "#" + "".join(f"{int(text[i : i + 2], 16) * 6 // 10:02x}" for i in (1, 3, 5))
