"""`avterm merge`: see that the shares of a stage that was made in parts are all there, and finish the stage."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli.common import JsonOption, RunArgument, emit, first_of, reporter, say
from avterm.errors import AvtermError

if TYPE_CHECKING:
    from avterm.progress import Progress
    from avterm.store.expected import Lack
    from avterm.store.run import Run

KINDS = ("missing", "damaged", "other")


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(merge)


class Stage(StrEnum):
    """Stages that can be made in shares."""

    features = "features"
    ground = "ground"


def merge(
    run: RunArgument,
    stage: Annotated[
        list[Stage] | None, typer.Option(help="Only this one; repeatable. All that were begun if not given.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check the shards that shares of a stage made, and finish it.

    For `avterm features` and `avterm ground` with --shard. Each shard has its final place already; this compares them
    with their checksums and with what they were to be made from, and leaves the run as one process would have. Exit 1
    where any is missing, damaged, or made from something else, naming them.
    """
    from avterm.store.lock import locked
    from avterm.store.run import Run

    opened, progress = Run.open(run), reporter()
    with locked(opened.path):
        rows = [_checked(opened, name, progress) for name in stage or _begun(opened)]
    if not rows:
        raise AvtermError(f"{run}: no shards here yet; make them with `avterm features {run} --shard I/N`")
    for row in rows:
        if json:
            emit(row)
            continue
        say(f"{row['stage']}: {row['shards']} shards" + (", all there" if row["finished"] else ""))
        for kind in KINDS:
            if row[kind]:
                say(f"  {len(row[kind])} {kind}: {first_of(row[kind])}")
    bad = [row["stage"] for row in rows if not row["finished"]]
    if bad:
        again = f"avterm {bad[0]} {run}"
        raise AvtermError(
            f"{run}: {' and '.join(bad)} cannot be finished; `{again}` or its missing shares (--shard I/N) make what "
            f"is missing, --redo also what is damaged or other"
        )


def _begun(run: Run) -> list[Stage]:
    """The sharded stages of which some shard is there."""
    from avterm.store.expected import feature_parts, grounding_parts

    parts = {Stage.features: feature_parts(run), Stage.ground: grounding_parts(run)}
    return [stage for stage, some in parts.items() if any(part.path.exists() for part in some)]


def _checked(run: Run, stage: Stage, progress: Progress) -> dict[str, Any]:
    """What is the matter with the shards of a stage, which is finished if that is nothing."""
    from avterm.engine.features import compute_features, feature_parts_of
    from avterm.grounding.stage import ground, grounding_parts_of
    from avterm.store.expected import lacking

    parts = feature_parts_of(run) if stage is Stage.features else grounding_parts_of(run)
    lacks = lacking(parts)
    row: dict[str, Any] = {"stage": stage.value, "shards": len(parts), "finished": not lacks}
    row |= {kind: _names(lacks, kind) for kind in KINDS}
    if lacks:
        return row
    if stage is Stage.features:
        found = compute_features(run.corpus, run.features_path, run.config.speech, run.config.vision, progress)
        run.finish("features", run.corpus.fingerprint, found.as_dict())
    else:
        ground(run, progress)
    return row


def _names(lacks: list[Lack], kind: str) -> list[str]:
    return [lack.part.name for lack in lacks if lack.kind == kind]
