"""`avterm retrieve`: recall in the form of Table 1."""

from __future__ import annotations

from typing import Annotated

import typer

from avterm.cli.common import DeviceOption, JsonOption, RunArgument, emit, reporter, say


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(retrieve)


def retrieve(
    run: RunArgument,
    split: Annotated[str, typer.Option(help="Which split to search in.")] = "val",
    seconds: Annotated[float, typer.Option(help="Captions are cut to this length; Table 1 has 10.")] = 10.0,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Search and annotation recall of the trained model: R@1, R@5, R@10 and the median rank."""
    from avterm.retrieval.stage import retrieve as stage
    from avterm.store.run import Run
    from avterm.units import frames_in

    result = stage(Run.open(run), reporter(), split, frames_in(seconds), device)
    if json:
        emit(result)
        return
    say(f"{result['pairs']} captions, {result['pictures']} pictures of split {split!r}")
    say(f"{'':12}{'R@1':>7}{'R@5':>7}{'R@10':>7}{'median rank':>13}")
    for way in ("search", "annotation"):
        row = result[way]
        say(f"{way:12}{row['r1']:7.3f}{row['r5']:7.3f}{row['r10']:7.3f}{row['median_rank']:13.1f}")
