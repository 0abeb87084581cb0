"""`avterm tag`: known words in recordings that have no picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli.common import (
    DeviceOption,
    JsonOption,
    RedoOption,
    RunArgument,
    StrictOption,
    emit,
    finish,
    ids_from,
    reporter,
    say,
    with_interval,
)
from avterm.errors import AvtermError, BadInput, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from avterm.progress import Progress
    from avterm.retrieval.lexicon import Lexicon
    from avterm.retrieval.queries import Recording
    from avterm.retrieval.tag import Tagged, Tagger


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(tag)


def tag(
    run: RunArgument,
    recordings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECORDING]...", help="Files, folders or ids of pairs; - reads them on stdin."),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="The captions of these splits too; repeatable.")] = None,
    k: Annotated[int | None, typer.Option("-k", help="Which clusters; without it, those made last.")] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave less sure tags out; 0.5 if not given.")
    ] = None,
    keep: Annotated[str, typer.Option(help="kept: clusters that nobody rejected; accepted: only those.")] = "kept",
    road: Annotated[str | None, typer.Option(help="exact or shared; as the run was grounded, if not given.")] = None,
    format: Annotated[str, typer.Option(metavar="NAME", help="json on stdout; textgrid or elan into --out.")] = "json",
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="A new or empty folder for files.")] = None,
    evaluate: Annotated[
        Path | None, typer.Option(metavar="WORDS", help="Print precision and recall against these word times instead.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="The tier of words in TextGrid or .eaf files.")] = None,
    device: DeviceOption = "auto",
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Find a run's words in recordings that have no picture.

    Start, end, cluster, name, label and confidence. One JSON object a tag on stdout, or a TextGrid or ELAN file a
    recording. Rejected clusters are never found; long recordings are cut at pauses. --evaluate compares with word
    times, over a range of confidences.
    """
    if (format == "json") != (out is None):
        raise UsageError("--format textgrid and --format elan need --out FOLDER, and only they do")
    if evaluate is not None and out is not None:
        raise UsageError("--evaluate prints a table; it writes no files into --out")
    from avterm.retrieval.front import Front
    from avterm.retrieval.lexicon import Lexicon
    from avterm.retrieval.tag import SURE_ENOUGH, Tagger
    from avterm.store.run import Run
    from avterm.training.device import choose_device

    opened, progress = Run.open(run), reporter()
    named, problems = _named(opened, recordings, split, progress)
    total = len(named) + len(problems)
    lexicon = Lexicon(opened, k, keep)
    least = min_confidence if min_confidence is not None else 0.0 if evaluate else SURE_ENOUGH
    tagger = Tagger(Front(opened, choose_device(device), road), lexicon, least)
    if evaluate is not None:
        problems += _evaluate(tagger, named, _words(opened, evaluate, tier, named), lexicon, progress, json)
    elif out is not None:
        problems += _files(tagger, named, out, format, redo, progress)
    else:
        problems += _lines(tagger, named, progress)
    finish(problems, strict, total, "recordings")
    if len(problems) == total:
        raise AvtermError("not one recording could be tagged")


@dataclass
class _Count:
    """Tags of all recordings, and those left out as not sure enough."""

    tags: int = 0
    below: int = 0
    highest: float = 0.0

    def add(self, tagged: Tagged) -> None:
        self.tags += len(tagged.tags)
        self.below += tagged.below
        self.highest = max(self.highest, tagged.highest_below)

    def tell(self, least: float, progress: Progress) -> None:
        """Where nothing is sure enough, how much there is that is not."""
        if self.below and not self.tags:
            lie = "1 tag lies" if self.below == 1 else f"{self.below} tags lie"
            progress.note(
                f"{lie} below the confidence of {least:g}, the highest at {self.highest:.3f}; see --min-confidence"
            )


def _named(
    run: Any, texts: list[str] | None, splits: list[str] | None, progress: Progress
) -> tuple[list[Recording], list[Problem]]:
    """What is to be tagged, and which names are neither files nor ids; an error where there is nothing else."""
    from avterm.retrieval.queries import recordings_of

    found: list[Recording] = []
    errors: dict[str, BadInput] = {}
    for text in ids_from(texts) or []:
        try:
            found += list(recordings_of([text], run.corpus))
        except BadInput as error:
            errors[text] = error
    found += recordings_of([], run.corpus, splits or ())
    if not found and errors:
        raise next(iter(errors.values()))
    if not found:
        raise UsageError("name recordings, folders, ids of pairs, or - for stdin; or a --split that has pairs")
    problems = [Problem(text, "unknown", str(error)) for text, error in errors.items()]
    for problem in problems:
        progress.problem(problem)
    return found, problems


def _lines(tagger: Tagger, recordings: Sequence[Recording], progress: Progress) -> list[Problem]:
    from avterm.retrieval.queries import shown

    problems, count = [], _Count()
    for recording, found in _tagged(tagger, recordings, progress):
        if isinstance(found, Problem):
            problems.append(found)
            continue
        count.add(found)
        name = str(recording.path) if recording.id is None else shown(recording.path)
        for each in found.tags:
            emit({"recording": name, "id": recording.id, **each.as_dict()})
    count.tell(tagger.least, progress)
    return problems


def _files(
    tagger: Tagger, recordings: Sequence[Recording], out: Path, format: str, redo: bool, progress: Progress
) -> list[Problem]:
    from avterm.export.tagged import TaggedFolder

    folder = TaggedFolder(out, format, [r.path for r in recordings], redo)
    problems, count = [], _Count()
    with progress.step("tag", len(recordings), "recordings") as step:
        for _, found in tagger.recordings([r.path for r in recordings]):
            step.advance()
            if isinstance(found, Problem):
                progress.problem(found)
                problems.append(found)
                continue
            folder.write(found)
            count.add(found)
    say(f"{out}: {len(recordings) - len(problems)} {format} files, {count.tags} tags")
    count.tell(tagger.least, progress)
    return problems


def _tagged(
    tagger: Tagger, recordings: Sequence[Recording], progress: Progress
) -> Iterator[tuple[Recording, Tagged | Problem]]:
    with progress.step("tag", len(recordings), "recordings") as step:
        for recording, (_, found) in zip(recordings, tagger.recordings([r.path for r in recordings]), strict=True):
            step.advance()
            if isinstance(found, Problem):
                progress.problem(found)
            yield recording, found


def _evaluate(
    tagger: Tagger, recordings: Sequence[Recording], words: Any, lexicon: Lexicon, progress: Progress, json: bool
) -> list[Problem]:
    from avterm.evaluation.tagging import Claim, score_tags

    labels = {entry.label for entry in lexicon.entries if entry.wanted and entry.label}
    if not labels:
        raise UsageError("no cluster has a label to compare with words; `avterm evaluate` gives them labels")
    problems, claims = [], {}
    for recording, found in _tagged(tagger, recordings, progress):
        if isinstance(found, Problem):
            problems.append(found)
            continue
        claims[str(recording.path)] = [Claim(t.start, t.end, t.label, t.confidence) for t in found.tags]
    grounded = sum(r.id in lexicon.run.groundings for r in recordings if r.id)
    if grounded:
        progress.note(f"{grounded} of these recordings are captions that clusters were made from")
    rows = score_tags(claims, words, labels)
    if json:
        for row in rows:
            emit(row)
        return problems
    say(f"{rows[0]['recordings']} recordings, {rows[0]['spoken']} words that are the label of a cluster")
    say(f"{'confidence':>10} {'tags':>6} {'right':>6} {'precision':>22} {'recall':>22} {'F':>6}")
    for row in rows:
        shares = " ".join(f"{with_interval(row, name):>22}" for name in ("precision", "recall"))
        f = "-" if row["f"] is None else f"{row['f']:.3f}"
        say(f"{row['min_confidence']:10.2f} {row['tags']:6} {row['right']:6} {shares} {f:>6}")
    return problems


def _words(run: Any, path: Path, tier: str | None, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Words by recording's path: by a pair's id where it was named by one, else by the file's name."""
    from avterm.corpus.words import read_words
    from avterm.errors import BadInput

    of_pairs = read_words(path, run.corpus, tier) if any(r.id for r in recordings) else {}
    of_files = read_words(path, None, tier) if any(r.id is None for r in recordings) else {}
    found = {}
    for each in recordings:
        if each.id is not None:
            found[str(each.path)] = of_pairs.get(each.id)
        else:
            found[str(each.path)] = of_files.get(each.path.stem)
    missing = [name for name, words in found.items() if words is None]
    if missing:
        raise BadInput(f"{path}: has no words of {missing[0]} ({len(missing)} of {len(found)} recordings lack them)")
    return found
