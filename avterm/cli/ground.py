"""`avterm ground`: which segments of speech belong to which regions of the picture."""

from __future__ import annotations

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

if TYPE_CHECKING:
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
    compare: Annotated[int, typer.Option(help="Also run both roads on so many pairs and print how they differ.")] = 0,
    settings: SetOption = None,
    device: DeviceOption = "auto",
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Propose, score and select box and segment pairs (section 4); goes on where it was cut off."""
    from avterm.cli.runs import with_settings
    from avterm.config import override
    from avterm.grounding.compare import compare_roads
    from avterm.grounding.stage import ground as stage
    from avterm.store.lock import locked
    from avterm.store.run import Run

    wanted = ids_from(ids)
    named = overrides(settings, grounding={"road": road, "splits": split or None})
    opened = Run.open(run)
    progress = reporter()
    with locked(opened.path):
        opened = with_settings(opened, override(opened.config, named, "the command line"))
        summary = stage(opened, progress, share(shard), redo, device)
    finish(summary.left_out, strict, summary.pairs + len(summary.left_out))
    if compare:
        emit_or_say(json, {"compare": compare_roads(opened, compare, device, progress)})
    if json:
        for row in _rows(opened, wanted):
            emit(row)
        return
    if wanted:
        for row in _rows(opened, wanted):
            say(
                f"{row['id']}  {row['segment'][0]:6.2f}-{row['segment'][1]:.2f} s  score {row['score']:.3f}  "
                f"box {' '.join(f'{v:.0f}' for v in row['box'])}"
            )
        return
    if shard is not None:
        say(f"share {shard}: {summary.made} shards made, {summary.kept} there")
        return
    rate = f" in {summary.seconds:.1f} s" if summary.made else " (already there)"
    say(f"{summary.groundings} groundings of {summary.pairs} pairs{rate}")
    say(f"next: avterm cluster {run} -k K")


def emit_or_say(json: bool, value: dict[str, Any]) -> None:
    """An object as a JSON line, or as `name: value` lines."""
    if json:
        emit(value)
        return
    for name, inner in value.items():
        for key, figure in inner.items():
            say(f"{name}: {key} {figure:.3f}" if isinstance(figure, float) else f"{name}: {key} {figure}")


def _rows(run: Run, ids: list[str] | None) -> Any:
    from avterm.errors import AvtermError
    from avterm.units import seconds_in

    store = run.groundings
    for id in ids if ids is not None else store.ids:
        if id not in store:
            raise AvtermError(f"{id}: has no groundings in {run.path}; see `avterm ground` for what was left out")
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
