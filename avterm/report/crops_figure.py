"""Figure 3 and the appendix: the nine most central crops of image clusters, under the label of their speech cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from avterm.report.style import LIGHT, Theme, bare, drawing, new_figure, say_instead, shown

SIDE = 96  # pixels of a crop as drawn


@dataclass(frozen=True)
class CropSheet:
    """One image cluster: its title, the speech cluster's figures in a line, and uint8 crops, the most central first."""

    title: str
    note: str
    crops: list[np.ndarray]


def cut(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The part of uint8 (H, W, 3) inside `box` (x0, y0, x1, y1 as fractions); at least one pixel."""
    height, width = picture.shape[:2]
    x0, y0 = int(np.clip(box[0] * width, 0, width - 1)), int(np.clip(box[1] * height, 0, height - 1))
    x1 = int(np.clip(np.ceil(box[2] * width), x0 + 1, width))
    y1 = int(np.clip(np.ceil(box[3] * height), y0 + 1, height))
    return picture[y0:y1, x0:x1]


def contact_sheet(crops: list[np.ndarray], paper: str, side: int = SIDE, gap: int = 4) -> np.ndarray:
    """Nine places, three a row; each crop keeps its proportions. uint8 (3 side + 2 gap, same, 3)."""
    length = 3 * side + 2 * gap
    sheet = Image.new("RGB", (length, length), paper)
    for i, crop in enumerate(crops[:9]):
        image = Image.fromarray(crop)
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        place = (i % 3 * (side + gap) + (side - size[0]) // 2, i // 3 * (side + gap) + (side - size[1]) // 2)
        sheet.paste(image.resize(size, Image.Resampling.LANCZOS), place)
    return np.asarray(sheet)


def draw_crops(sheets: list[CropSheet], columns: int = 5, theme: Theme = LIGHT) -> Figure:
    """Figure 3 (ten clusters), or a page of the appendix (as many as given), `columns` clusters a row."""
    with drawing(theme):
        if not sheets:
            return say_instead(new_figure(5, 2), "no image cluster has a crop that could be shown")
        columns = min(columns, len(sheets))
        rows = -(-len(sheets) // columns)
        figure = new_figure(1.44 * columns, 1.82 * rows)
        figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
        for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
            bare(axes)
            if i >= len(sheets):
                continue
            sheet = sheets[i]
            axes.imshow(contact_sheet(sheet.crops, theme.paper), interpolation="lanczos")
            axes.set_title(shown(sheet.title, 20), loc="center", fontsize=8.5, pad=3, parse_math=False)
            axes.set_xlabel(shown(sheet.note, 36), fontsize=6.5, labelpad=2, color=theme.faint, parse_math=False)
            if not sheet.crops:
                axes.text(0.5, 0.5, "no pictures", ha="center", va="center", transform=axes.transAxes, fontsize=7)
    return figure
