"""`avterm report`: one page that holds what was discovered, and the paper's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avterm.cli.common import JsonOption, RunArgument, StrictOption, emit, finish, ids_from, reporter, say


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(report)


def report(
    run: RunArgument,
    k: Annotated[int | None, typer.Option("-k", help="Which clusters; without it, those made last.")] = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="The page; without it, RUN/report.html.")] = None,
    clusters: Annotated[int, typer.Option(min=0, help="List the N clusters of lowest variance; 0: all.")] = 500,
    members: Annotated[int, typer.Option(min=1, help="Segments and crops to hear and see for each cluster.")] = 9,
    megabytes: Annotated[float, typer.Option(min=1, help="The page is no larger; the rest is left out.")] = 19.5,
    figures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the figures as PNG and SVG here, and no page.")
    ] = None,
    figure: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this one: 1, 2, 3, 4, appendix, training, affinity; repeatable."),
    ] = None,
    pair: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Figure 1 of this pair; repeatable; - reads ids on stdin.")
    ] = None,
    words: Annotated[Path | None, typer.Option(help="Word times, where they do not lie beside the corpus.")] = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Write one HTML page to hear and see clusters in, or figures.

    `avterm report RUN` writes RUN/report.html, which opens from disk and asks nothing of the network.
    `avterm report RUN --figure 1 --pair ID` draws one pair into RUN/figures. `--figures FOLDER` draws all of them.
    """
    from avterm.report.page import PageOptions, write_page
    from avterm.report.stage import write_figure_files
    from avterm.store.run import Run

    opened, progress = Run.open(run), reporter()
    if figures or figure or pair:
        names = figure or (["1"] if pair else None)
        paths = write_figure_files(opened, figures or run / "figures", k, names, ids_from(pair), words, progress)
        for path in paths:
            emit({"path": str(path), "bytes": path.stat().st_size}) if json else say(str(path))
    if to or not (figures or figure or pair):
        options = PageOptions(clusters, members, megabytes)
        page = write_page(opened, to or run / "report.html", k, options, words, progress)
        emit(page.as_dict()) if json else say(str(page))
    finish(progress.problems, strict, len(opened.corpus))
