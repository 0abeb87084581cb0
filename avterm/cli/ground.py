"""`avterm ground`: which segments of speech belong to which regions of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli.common import (
    DeviceOption,
    JsonOption,
    RedoOption,
    RunArgument,
    SetOption,
    StrictOption,
    emit,
    finish,
    ids_from,
    overrides,
    reporter,
    say,
    share,
)
from avterm.cli.engines import AddressOption, CpusOption, EngineOption, GpusOption, Where, WorkersOption, engine_for
from avterm.errors import Problem

if TYPE_CHECKING:
    from avterm.grounding.compare import Comparison
    from avterm.grounding.stage import GroundSummary
    from avterm.store.run import Run


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(ground)


def ground(
    run: RunArgument,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Print these pairs; - reads stdin.")
    ] = None,
    road: Annotated[str | None, typer.Option(help="exact (the paper's) or shared (much faster).")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Ground these splits; repeatable.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Only every N-th shard, from I (0 … N-1).")] = None,
    compare: Annotated[
        int, typer.Option(min=0, metavar="N", help="Also run both roads on N pairs and print how they differ.")
    ] = 0,
    settings: SetOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = Where.threads,
    workers: WorkersOption = None,
    address: AddressOption = None,
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Find the segments and boxes that belong together (section 4).

    Proposes, scores and selects them; goes on where it was cut off. With --json every grounding is one object on
    stdout: id, row, segment in seconds, box in pixels, score, silence.
    """
    from contextlib import nullcontext

    from avterm.cli.runs import grounded, with_settings
    from avterm.config import override
    from avterm.grounding.stage import ground as stage
    from avterm.store.lock import locked
    from avterm.store.run import Run

    wanted, part = ids_from(ids), share(shard)
    named = overrides(settings, grounding={"road": road, "splits": split or None})
    opened = Run.open(run)
    progress = reporter()
    with (
        locked(opened.path) if part is None else nullcontext(),  # shares of the shards run side by side
        engine_for(engine, workers, address, cpus, gpus) as where,
    ):
        opened = with_settings(opened, override(opened.config, named, "the command line"), save=False)
        summary = stage(opened, progress, part, redo, device, where)
    unknown: list[Problem] = []
    if wanted is not None and shard is None:
        wanted, unknown = grounded(opened, wanted, progress)
    _print(opened, summary, wanted, json, shard)
    if compare:
        from avterm.grounding.compare import compare_roads

        _print_comparison(compare_roads(opened, compare, device, progress), json)
    finish(unknown, strict, len(unknown) + len(wanted or ()), "ids")
    finish(summary.left_out, strict, summary.pairs + len(summary.left_out))


def _print(run: Run, summary: GroundSummary, ids: list[str] | None, json: bool, shard: str | None) -> None:
    if shard is None and (json or ids):
        for row in _rows(run, ids):
            if json:
                emit(row)
                continue
            start, stop = row["segment"]
            place = " ".join(f"{value:.0f}" for value in row["box"])
            say(f"{row['id']}  {start:6.2f}-{stop:.2f} s  score {row['score']:.3f}  box {place}")
        return
    if json:
        emit({"shard": shard, **summary.as_dict(), "made": summary.made, "kept": summary.kept})
        return
    where = f" (share {shard}: {summary.made} shards made, {summary.kept} there)" if shard else ""
    rate = f" in {summary.seconds:.1f} s" if summary.made else ", already there"
    say(f"{summary.groundings} groundings of {summary.pairs} pairs, {summary.per_pair:.2f} a pair{rate}{where}")
    for kind, count in summary.as_dict()["left_out_by_kind"].items():
        say(f"left out: {count} {kind}")
    say(f"next: avterm cluster {run.path} -k K" if not shard else f"when all shares are made: avterm merge {run.path}")


def _print_comparison(comparison: Comparison, json: bool) -> None:
    from dataclasses import asdict

    figures = asdict(comparison)
    if json:
        emit({"compare": figures})
        return
    say(f"exact and shared road on {figures.pop('pairs')} pairs:")
    for name, value in figures.items():
        say(f"  {name.replace('_', ' ')}: {'none' if value is None else f'{value:.3f}'}")


def _rows(run: Run, ids: list[str] | None) -> Iterator[dict[str, Any]]:
    from avterm.units import seconds_in

    store = run.groundings
    for id in ids if ids is not None else store.ids:
        pair = store.of_pair(id)
        for i, box in enumerate(pair.pixels()):
            yield {
                "id": id,
                "row": pair.first + i,
                "segment": [seconds_in(int(v)) for v in pair.segment[i]],
                "box": [round(float(v), 1) for v in box],
                "score": round(float(pair.score[i]), 5),
                "silence": round(float(pair.silence[i]), 4),
            }
