"""A caption's spectrogram with its segments, and under it the words and the time, in matching colours (Figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from PIL import Image
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from avterm.tui.drawing import Mark, spectrogram, window
from avterm.tui.media import Spoken
from avterm.tui.ruler import time_line, word_line
from avterm.tui.widgets.picture import Picture


class Spectrogram(Vertical):
    """`show` what a caption sounds like; `say` why it cannot be shown."""

    DEFAULT_CSS = """
    Spectrogram > Static { height: 1; width: 100%; }
    """

    def __init__(self, protocol: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._picture = Picture(protocol)
        self._words_line = Static("", classes="words", markup=False)
        self._time_line = Static("", classes="time", markup=False)
        self._words: Sequence[Spoken] = ()
        self._marks: Sequence[Mark] = ()
        self._span = (0, 1)

    def compose(self) -> ComposeResult:
        """The picture, the words, the time."""
        yield self._picture
        yield self._words_line
        yield self._time_line

    def show(
        self, mel: np.ndarray | None, frames: int, words: Sequence[Spoken], marks: Sequence[Mark], why: str
    ) -> None:
        """mel : float (frames, 40), or None for the reason `why`; words and marks are shown all the same."""
        frames = len(mel) if mel is not None and len(mel) else frames
        self._words, self._marks, self._span = words, marks, window(frames, marks)
        if mel is None:
            self._picture.say(why)
        else:
            self._picture.show(partial(_draw, mel, marks, self._span), f"{len(mel)} frames (pictures are off)")
        self._lines()

    def say(self, text: str) -> None:
        """A line in place of everything."""
        self._words, self._marks = (), ()
        self._picture.say(text)
        self._words_line.update("", layout=False)
        self._time_line.update("", layout=False)

    def on_resize(self) -> None:
        """Words stand elsewhere in another width."""
        self._lines()

    def _lines(self) -> None:
        if self.size.width and self._span[1] > 1:
            self._words_line.update(word_line(self._words, self._span, self.size.width, self._marks), layout=False)
            self._time_line.update(time_line(self._span, self.size.width), layout=False)


def _draw(
    mel: np.ndarray, marks: Sequence[Mark], span: tuple[int, int], size: tuple[int, int], ratio: float
) -> Image.Image:
    return spectrogram(mel, size, marks, span)
