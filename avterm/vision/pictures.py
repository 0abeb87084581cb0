"""Pictures in: what Pillow decodes by itself → uint8 RGB, turned as its EXIF says, of bounded size."""

from __future__ import annotations

import struct
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from avterm.errors import BadInput
from avterm.store.incoming import existing_file

MOST_PIXELS = 89_478_485  # Pillow's own limit, from which on it warns: 256 MiB of RGB
MOST_BYTES = 1 << 30
# Not EPS: Pillow starts Ghostscript for it, a program that runs what the file says. Nor kinds that no camera makes.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF", "ICO", "TGA", "MPO")
_one_at_a_time = threading.Lock()
_WHATEVER_PILLOW_RAISES = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    MemoryError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ZeroDivisionError,
    struct.error,
)


def read_picture(path: str | Path) -> np.ndarray:
    """uint8 (height, width, 3): RGB, turned as EXIF says; the first frame of an animation; transparency on white.

    CMYK, palettes, grey and 16-bit pictures are converted. Raises BadInput, in one line, where the file is missing,
    empty, truncated, no picture, a single pixel wide or high, or of more than 89 million pixels.
    """
    path = existing_file(path, "a picture", MOST_BYTES)
    try:
        with _open(path) as picture:
            _check_size(path, picture.size)
            ImageOps.exif_transpose(picture, in_place=True)
            pixels = np.array(_rgb(picture), dtype=np.uint8)
    except UnidentifiedImageError:
        raise BadInput(f"{path}: expected a picture, found a file of no known picture format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput(f"{path}: has too many pixels; at most {MOST_PIXELS} are read") from None
    except _WHATEVER_PILLOW_RAISES as error:
        raise BadInput(f"{path}: damaged or unreadable picture: {error or type(error).__name__}") from None
    _check_size(path, (pixels.shape[1], pixels.shape[0]))
    return pixels


def _open(path: Path) -> Image.Image:
    """Read the header only. Pillow warns of a picture with very many pixels; here that is an error.

    Threads take turns, as Python's warning filters are everyone's.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        Image.init()
        return Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN])


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """uint8 (height, width, 3): antialiased bilinear."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def _check_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise BadInput(f"{path}: has {width} x {height} pixels; at most {MOST_PIXELS} are read")
    if width < 2 or height < 2:
        raise BadInput(f"{path}: has {width} x {height} pixels; a grid needs more than one each way")


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 or 32 bits a pixel: Pillow would clip, not scale
        values = np.asarray(picture, dtype=np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        return Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8)).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")
