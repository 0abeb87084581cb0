"""Which captions go through the speech branch together: those of like length, so that little of it is padding."""

from __future__ import annotations

import numpy as np


def together(lengths: np.ndarray, captions: int, frames: int) -> list[list[int]]:
    """int64 (N,) frames a caption → places in groups of at most `captions`, and `frames` with padding counted.

    Ascending in length; a caption that is longer than `frames` is alone.
    """
    groups: list[list[int]] = []
    for place in np.argsort(lengths, kind="stable").tolist():  # so the newest caption of a group is its longest
        if groups and len(groups[-1]) < captions and (len(groups[-1]) + 1) * lengths[place] <= frames:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
