"""`avterm retrieve`: recall in the form of Table 1."""

from __future__ import annotations

from typing import Annotated

import typer

from avterm.cli.common import DeviceOption, JsonOption, RunArgument, emit, reporter, say, with_interval

WAYS = tuple(
    f"{way}{company}" for company in ("", "_within_speaker", "_across_speakers") for way in ("search", "annotation")
)


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
    """Search and annotation recall of the trained model (Table 1).

    R@1, R@5, R@10 and the median rank, with 95% intervals by resampling pictures, and within and across speakers where
    several are known.
    """
    from avterm.retrieval.stage import retrieve as stage
    from avterm.store.run import Run
    from avterm.units import frames_in

    result = stage(Run.open(run), reporter(), split, frames_in(seconds), device)
    if json:
        emit(result)
        return
    say(f"{result['pairs']} captions, {result['pictures']} pictures of split {split!r}")
    say(
        f"{'':28}"
        + "".join(f"{name:>22}" for name in ("R@1", "R@5", "R@10"))
        + f"{'median rank':>13}{'candidates':>12}"
    )
    for way in WAYS:
        if way in result:
            row = result[way]
            shares = "".join(f"{with_interval(row, name):>22}" for name in ("r1", "r5", "r10"))
            many = f"{row['candidates']:12.0f}" if "candidates" in row else ""
            say(f"{way.replace('_', ' '):28}{shares}{row['median_rank']:13.1f}{many}")
