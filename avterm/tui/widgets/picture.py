"""A picture in the terminal by the best protocol that it has, drawn to fit by a function, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from PIL import Image as Pillow
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static
from textual_image._terminal import get_cell_size
from textual_image.renderable import HalfcellImage as HalfcellCells
from textual_image.renderable import Image as BestCells
from textual_image.renderable import UnicodeImage as UnicodeCells
from textual_image.widget import HalfcellImage, Image, SixelImage, TGPImage, UnicodeImage

from avterm.errors import printable

PROTOCOLS: dict[str, type[Widget] | None] = {
    "auto": Image,
    "kitty": TGPImage,
    "sixel": SixelImage,
    "halfcell": HalfcellImage,
    "unicode": UnicodeImage,
    "off": None,
}
IN_CELLS = BestCells in (HalfcellCells, UnicodeCells)  # the best that this terminal has are coloured letters
Draw = Callable[[tuple[int, int], float], Pillow.Image]


class Picture(Container):
    """Shows what `draw(size in pixels, height of a pixel over its width)` gives, again whenever the size changes."""

    DEFAULT_CSS = """
    Picture { height: 1fr; width: 1fr; overflow: hidden hidden; }
    Picture > .picture--image { width: 100%; height: 100%; }
    Picture > Static { width: 100%; height: 100%; content-align: center middle; color: $text-muted; }
    """

    def __init__(self, protocol: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.protocol = protocol
        self._draw: Draw | None = None
        self._image: Widget | None = None
        self._note = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """A note, and over it the protocol's widget."""
        yield self._note
        kind = PROTOCOLS[self.protocol]
        if kind is not None:
            self._image = kind(classes="picture--image")
            self._image.display = False
            yield self._image

    def show(self, draw: Draw, instead: str = "") -> None:
        """Draw this; `instead` is said where pictures are off."""
        self._draw = draw
        if self._image is None:
            self.say(instead)
            self._draw = None
        else:
            self._redraw()

    def say(self, text: str) -> None:
        """A line in place of the picture."""
        self._draw = None
        self._note.update(Text(printable(text[:400])), layout=False)
        self._note.display = True
        if self._image is not None:
            self._image.display = False

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._redraw()

    def pixels(self) -> tuple[tuple[int, int], float]:
        """The size to draw at, and the height of a pixel over its width."""
        columns, rows = self.size.width, self.size.height
        wide, high = get_cell_size()
        if self.protocol in ("halfcell", "unicode") or (self.protocol == "auto" and IN_CELLS):
            return (columns, rows * 2), high / 2 / wide
        return (columns * wide, rows * high), 1.0

    def _redraw(self) -> None:
        if self._draw is not None and self.size.width and self.size.height:
            self.run_worker(self._work(self._draw), group="draw", exclusive=True)

    async def _work(self, draw: Draw) -> None:
        size, ratio = self.pixels()
        image = await asyncio.to_thread(draw, size, ratio)
        if self._draw is draw and self._image is not None:
            self._image.image = image  # type: ignore[attr-defined]
            self._image.display = True
            self._note.display = False
