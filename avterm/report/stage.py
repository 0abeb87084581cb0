"""The figures of a run as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avterm.progress import Progress
from avterm.report.figures import NAMES, drawings, write_figures
from avterm.report.media import Media
from avterm.report.source import Source
from avterm.store.run import Run


def write_figure_files(
    run: Run,
    folder: Path,
    k: int | None,
    names: Sequence[str] | None,
    pairs: Sequence[str] | None,
    words: Path | None,
    progress: Progress,
) -> list[Path]:
    """Write the figures `names` (None: all that the run has what they show for) as PNG and SVG; their paths.

    `pairs`: ids of Figure 1 (None: one that shows the method well). UsageError names an unknown figure or id.
    """
    source = Source(run, k, words)
    made = drawings(source, Media(run, progress), names or NAMES, pairs or ())
    return write_figures(made, folder, progress)
