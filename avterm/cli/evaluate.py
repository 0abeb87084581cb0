"""`avterm evaluate`: labels, purity, coverage, localisation, and the paper's tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from avterm.cli.common import JsonOption, RunArgument, SetOption, emit, overrides, reporter, say
from avterm.cli.engines import AddressOption, CpusOption, EngineOption, Where, WorkersOption, engine_for
from avterm.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(evaluate)


def evaluate(
    run: RunArgument,
    k: Annotated[
        list[int] | None,
        typer.Option("-k", "--k", help="Which clusters; repeatable. Without it those made last; for Table 4, all."),
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="Word times: CTM, TextGrid, .eaf, JSON lines, or a folder.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="The tier of words in TextGrid or .eaf files.")] = None,
    boxes: Annotated[Path | None, typer.Option(help="True boxes, JSON or JSON lines.")] = None,
    phones: Annotated[
        Path | None, typer.Option(help="Phone times, as word times, for the scores of term discovery.")
    ] = None,
    table: Annotated[int | None, typer.Option(help="Print Table 1, 2, 3 or 4 of the paper for this run.")] = None,
    cluster: Annotated[int | None, typer.Option(help="The cluster of Table 2.")] = None,
    format: Annotated[str, typer.Option(help="Of tables: text, csv, json or latex.")] = "text",
    paper: Annotated[bool, typer.Option("--paper", help="Print the paper's own figures beside ours.")] = False,
    prune: Annotated[list[float] | None, typer.Option(help="Variances below which Table 4 counts; repeatable.")] = None,
    bootstrap: Annotated[int | None, typer.Option(help="Rounds for the intervals; 0: none.")] = None,
    engine: EngineOption = Where.threads,
    workers: WorkersOption = None,
    address: AddressOption = None,
    cpus: CpusOption = 1.0,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Compare clusters with word times and boxes that are known.

    The figures of section 5 and more; learning never sees either.
    """
    from avterm.cli.runs import with_settings
    from avterm.config import override
    from avterm.corpus.boxes import boxes_of
    from avterm.corpus.words import words_of
    from avterm.evaluation.stage import evaluate as stage
    from avterm.store.run import Run

    _check(table, cluster, format)
    format, opened = "json" if json else format, Run.open(run)
    if table == 1:
        sys.stdout.write(_table(opened, [], 1, None, format, paper))
        return
    named = overrides(settings, evaluation={"prune": prune, "bootstrap": bootstrap})
    opened = with_settings(opened, override(opened.config, named, "the command line"), save=False)
    ks = k or (opened.ks if table == 4 else None) or [len(opened.clusters().speech)]
    spoken = words_of(opened.corpus, words, tier)
    sounded = words_of(opened.corpus, phones, "phones") if phones else None
    with engine_for(engine, workers, address, cpus) as where:
        results = stage(opened, ks, spoken, boxes_of(opened.corpus, boxes), reporter(), sounded, where)
    if table is not None:
        sys.stdout.write(_table(opened, ks, table, cluster, format, paper))
        return
    for each in ks:
        _print_overall(results[each]["overall"], json)
    if not json:
        sys.stdout.write("\n" + _table(opened, ks[-1:], 3, None, "text", False))
        if not spoken:
            say("no word times are known: clusters are listed by variance, the paper's predictor of quality")


def _check(table: int | None, cluster: int | None, format: str) -> None:
    """Before minutes of work, what cannot be meant."""
    from avterm.evaluation.tables import FORMATS

    if table is not None and table not in {1, 2, 3, 4}:
        raise UsageError(f"--table {table}: expected 1, 2, 3 or 4")
    if table == 2 and cluster is None:
        raise UsageError("--table 2 needs --cluster N")
    if format not in FORMATS:
        raise UsageError(f"--format {format}: expected one of {', '.join(FORMATS)}")


def _table(run: Any, ks: list[int], number: int, cluster: int | None, format: str, paper: bool) -> str:
    from avterm.evaluation import tables

    if number == 1:
        rows = tables.table_1(run, paper)
    elif number == 2:
        rows = tables.table_2(run, ks[-1], cluster or 0)
    elif number == 3:
        rows = tables.table_3(run, ks[-1])
    else:
        rows = tables.table_4(run, ks, paper)
    return tables.render(rows, format)


def _print_overall(overall: dict[str, Any], json: bool) -> None:
    """Each figure on a line, with its interval beside it; or all, and localisation word by word, as one JSON object."""
    if json:
        emit(overall)
        return
    for name, value in overall.items():
        if name == "by_word" or name.endswith("_interval") or value is None:
            continue
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        interval = overall.get(f"{name}_interval")
        beside = f"  {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
        say(f"{name.replace('_', ' '):30}{shown}{beside}")
