"""`avterm curate`: decisions about clusters, as JSON lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli import common
from avterm.cli.common import JsonOption, RunArgument, StrictOption
from avterm.errors import BadInput, Problem, UsageError, printable

if TYPE_CHECKING:
    from avterm.store.curation import Curation

Modality = Annotated[str, typer.Option(help="speech or image: whose clusters.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Names, states, notes, merges and splits that people decided on.")
    group.command("list")(list_decisions)
    group.command("export")(export)
    group.command("import")(import_decisions)
    app.add_typer(group, name="curate")


def list_decisions(
    run: RunArgument,
    k: Annotated[int | None, typer.Option("-k", help="Which clustering; without, the one made last.")] = None,
    modality: Modality = "speech",
    as_json: JsonOption = False,
) -> None:
    """What was decided, as it applies to the clusters of one k."""
    from avterm.store.curation import read_curation

    if modality not in ("speech", "image"):
        raise UsageError(f"--modality {modality!r}: expected speech or image")
    curation = read_curation(run, k, modality)
    for record in _records(curation):
        common.emit(record) if as_json else common.say(_line(record))
    for edit in curation.unplaced:
        sys.stderr.write(
            printable(f"fits no cluster here: {edit.kind} {edit.value} of {edit.cluster} (k = {edit.k})") + "\n"
        )
    if curation.history.skipped:
        sys.stderr.write(f"{curation.history.skipped} damaged lines were skipped\n")


def export(
    run: RunArgument,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; without, stdout.")] = None,
) -> None:
    """All decisions in force as JSON lines, for curate import."""
    from avterm.store.atomic import write_text
    from avterm.store.curation import curation_path
    from avterm.store.journal import Journal, to_record
    from avterm.store.run import Run

    done = Journal(curation_path(Run.open(run))).history().done
    lines = [json.dumps(to_record(edit), ensure_ascii=output is None) for edit in done]
    if output is None:
        for line in lines:
            common.say(line)
    else:
        write_text(output, "".join(f"{line}\n" for line in lines))


def import_decisions(
    run: RunArgument,
    source: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines as exported; - for stdin.")],
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add decisions of another run or person, each once."""
    from avterm.store.curation import curation_path
    from avterm.store.journal import Journal, from_record
    from avterm.store.run import Run

    journal = Journal(curation_path(Run.open(run)))
    edits, problems, total = [], [], 0
    for number, line in enumerate(_lines(source), 1):
        if not line.strip():
            continue
        total += 1
        try:
            edits.append(from_record(json.loads(line), f"{source}:{number}"))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(f"{source}:{number}", "unreadable", str(error)))
        except BadInput as error:
            problems.append(Problem(f"{source}:{number}", "unusable", str(error)))
    for problem in problems:
        sys.stderr.write(f"left out {problem}\n")
    if problems and strict:
        common.finish(problems, strict, total, "decisions")
    added = journal.merge(edits)
    if as_json:
        common.emit({"read": len(edits), "added": added, "left_out": len(problems)})
    else:
        common.say(f"{added} decisions added, {len(edits) - added} were here already")
    common.finish(problems, strict, total, "decisions")


def _lines(source: str) -> list[str]:
    if source == "-":
        return sys.stdin.read().split("\n")
    try:
        return Path(source).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{source}: expected JSON lines in UTF-8, found: {error}") from None


def _records(curation: Curation) -> list[dict[str, Any]]:
    return [
        {
            "cluster": cluster,
            "modality": curation.modality,
            "state": curation.state(cluster),
            "name": curation.name(cluster),
            "note": curation.note(cluster),
            "merged_into": curation.merged_into(cluster),
            "split_off": len(curation.excluded(cluster)),
        }
        for cluster in curation.touched()
    ]


def _line(record: dict[str, Any]) -> str:
    parts = [f"{record['cluster']:>6}", f"{record['state']:<8}", printable(record["name"] or "–")]
    if record["merged_into"] is not None:
        parts.append(f"merged into {record['merged_into']}")
    if record["split_off"]:
        parts.append(f"{record['split_off']} split off")
    if record["note"]:
        parts.append(f"({printable(record['note'])})")
    return "  ".join(parts)
