"""`avterm export`: hand what was discovered to Praat, ELAN, spreadsheets, ZeroSpeech's evaluation, or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avterm.cli.common import (
    JsonOption,
    RedoOption,
    RunArgument,
    StrictOption,
    emit,
    finish,
    ids_from,
    reporter,
    say,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(export)


def export(
    run: RunArgument,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="A new or empty folder.")],
    format: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="textgrid, elan, csv, parquet, class or clips; repeatable."),
    ] = None,
    k: Annotated[int | None, typer.Option("-k", help="Which clusters; without it, those made last.")] = None,
    keep: Annotated[str, typer.Option(help="kept: clusters that nobody rejected; accepted: only those; all.")] = "kept",
    below: Annotated[float | None, typer.Option(help="Only clusters of less variance.")] = None,
    members: Annotated[int, typer.Option(min=0, help="Clips of each cluster, from the centre outwards; 0: all.")] = 20,
    pair: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this pair; repeatable; - reads ids on stdin.")
    ] = None,
    words: Annotated[Path | None, typer.Option(help="Word times, where they do not lie beside the corpus.")] = None,
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Write segments, clusters and words for other tools.

    After merges, splits and rejections. `avterm export RUN --to praat` makes a Praat TextGrid for every caption,
    `--format elan` an ELAN file. csv and parquet are tables, class is what ZeroSpeech's evaluation reads, clips are
    sounds and crops by cluster.
    """
    from avterm.cli.runs import grounded
    from avterm.export.discovered import Discovered
    from avterm.export.stage import export as stage
    from avterm.store.run import Run

    progress, opened = reporter(), Run.open(run)
    ids = ids_from(pair)
    known, unknown = grounded(opened, ids, progress) if ids is not None else (None, [])
    found = Discovered(opened, k, words, keep, float("inf") if below is None else below, known)
    done = stage(found, to, format or ["textgrid"], progress, members, redo)
    if json:
        emit({**done, "pairs": len(found.ids), "clusters": len(found.facts), "left_out": len(progress.problems)})
    else:
        listed = ", ".join(f"{count} {name}" for name, count in done["files"].items())
        say(f"{to}: {listed} files; {len(found.ids)} captions, {len(found.facts)} clusters")
    finish(progress.problems, strict, len(found.ids) + len(unknown))
