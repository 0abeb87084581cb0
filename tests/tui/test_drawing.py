"""Pictures and the lines under them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from avterm.errors import printable
from avterm.tui.drawing import BACKGROUND, Box, Mark, colour, crop, photograph, sheet, spectrogram, window
from avterm.tui.media import Spoken
from avterm.tui.ruler import time_line, word_line
from avterm.tui.widgets.table import fit

GREY = np.full((60, 80, 3), 128, np.uint8)


def rgb(text):
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.parametrize("mel", [np.zeros((0, 40)), np.zeros((300, 40)), np.full((300, 40), np.nan), np.eye(300, 40),
                                 np.full((300, 40), np.inf)])  # fmt: skip
@pytest.mark.parametrize("size", [(0, 0), (1, 1), (76, 20), (500, 200)])
def test_any_mel_can_be_drawn(mel, size):
    image = spectrogram(mel, size, [Mark(10, 60, colour(0)), Mark(250, 900, colour(1), False)])
    assert image.size == (max(size[0], 1), max(size[1], 1))


def test_a_segment_stands_where_its_frames_are():
    mel = np.random.default_rng(0).normal(size=(300, 40))
    image = np.asarray(spectrogram(mel, (300, 56), [Mark(100, 150, colour(0))]))
    ink = (image == rgb(colour(0))).all(axis=-1)
    assert ink[-1, 100:150].all()
    assert not ink[-1, :100].any()
    assert not ink[-1, 150:].any()
    assert ink[0, [100, 149]].all()
    plain = np.asarray(spectrogram(mel, (300, 56)))
    assert (image[5, 110:140] == plain[5, 110:140]).all()
    assert image[:40, :90].sum() < plain[:40, :90].sum()


def test_low_bands_are_below():
    mel = np.zeros((100, 40))
    mel[:, :5] = 1
    image = np.asarray(spectrogram(mel, (100, 40))).sum(axis=-1)
    assert image[-1].mean() > image[0].mean()


@pytest.mark.parametrize(("frames", "marks", "expected"), [
    (300, [Mark(0, 50, "#000000")], (0, 300)), (5000, [Mark(4900, 4990, "#000000")], (3800, 5000)),
    (5000, [Mark(0, 50, "#000000")], (0, 1200)), (5000, [Mark(2000, 2100, "#000000")], (1450, 2650)), (0, [], (0, 1)),
])  # fmt: skip
def test_long_captions_are_shown_around_the_mark(frames, marks, expected):
    assert window(frames, marks) == expected


def test_a_photograph_keeps_its_shape():
    image = np.asarray(photograph(GREY, (200, 100)))
    inside = (image == 128).all(axis=-1)
    assert inside.sum(axis=1).max() == 133
    assert inside.sum(axis=0).max() == 100
    assert tuple(image[0, 0]) == BACKGROUND


@given(st.tuples(*[st.floats() for _ in range(4)]), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_any_box_can_be_drawn_and_cut(box, width, height):
    assert photograph(GREY, (width, height), [Box(box, colour(0))]).size == (width, height)
    assert crop(GREY, box).size > 0


def test_the_box_under_the_cursor_is_on_top():
    boxes = [Box((0.2, 0.2, 0.8, 0.8), colour(0)), Box((0.2, 0.2, 0.8, 0.8), colour(1), False)]
    image = np.asarray(photograph(GREY, (80, 60), boxes))
    assert (image == rgb(colour(0))).all(axis=-1).any()
    assert not (image == rgb(colour(1))).all(axis=-1).any()


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9])
def test_sheets_hold_all_crops(count):
    tiles = [np.full((10, 10, 3), 100 + i, np.uint8) for i in range(count)]
    image = np.asarray(sheet(tiles, (120, 40)))
    assert image.shape == (40, 120, 3)
    assert set(range(100, 100 + count)) <= set(image[..., 0].ravel())


def test_words_stand_at_their_times_in_the_colours_of_their_segments():
    words = [Spoken("lighthouse", 0.0, 1.0), Spoken("sea", 2.0, 3.0)]
    line = word_line(words, (0, 300), 60, [Mark(0, 100, "#ffb000"), Mark(500, 600, "#ff0000")])
    assert line.plain.index("lighthouse") == 5
    assert line.plain.index("sea") == 48
    assert "bold #ffb000" in [str(span.style) for span in line.spans]


@given(st.lists(st.tuples(st.text(max_size=30), st.floats(0, 9), st.floats(0, 9)), max_size=20), st.integers(1, 100))
@settings(max_examples=80, deadline=None)
def test_words_never_outgrow_the_line(words, width):
    line = word_line([Spoken(*w) for w in words], (0, 300), width, [Mark(0, 50, "#ffb000")])
    assert cell_len(line.plain) <= width
    assert printable(line.plain) == line.plain


@pytest.mark.parametrize("width", [1, 8, 20, 80])
def test_the_time_line_fits(width):
    assert cell_len(time_line((0, 300), width).plain) <= max(width, 7)


@given(st.text(max_size=60), st.integers(0, 30), st.booleans())
@settings(max_examples=100, deadline=None)
def test_cells_are_exactly_as_wide_as_their_column(text, width, right):
    assert cell_len(fit(text, width, right)) == width
