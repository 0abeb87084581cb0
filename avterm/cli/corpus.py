"""`avterm corpus import|check|show|demo|speak`: from files on disk to a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avterm.cli.common import JsonOption, StrictOption, emit, finish, reporter, say
from avterm.cli.speak import register_corpus

CorpusArgument = Annotated[Path, typer.Argument(metavar="CORPUS", help="A corpus.jsonl, or the folder that holds it.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Import, check and show corpora; make spoken ones.")
    group.command("import")(import_)
    group.command()(check)
    group.command()(show)
    register_corpus(group)
    app.add_typer(group, name="corpus")


def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="A folder, a table, or JSON files.")],
    to: Annotated[Path, typer.Option(help="The folder of the new corpus.jsonl.")],
    format: Annotated[str, typer.Option(help="auto, places, spokencoco, flickr8k, table or folder.")] = "auto",
    images: Annotated[Path | None, typer.Option(help="Pictures lie here, whatever the source says.")] = None,
    speech: Annotated[Path | None, typer.Option(help="Recordings lie here, whatever the source says.")] = None,
    split: Annotated[str, typer.Option(help="keep the source's, or draw anew by picture.")] = "keep",
    val: Annotated[
        float, typer.Option(help="Share or number of pictures to validate on, where splits are drawn.")
    ] = 0.1,
    test: Annotated[float, typer.Option(help="Share or number of pictures to test on, where splits are drawn.")] = 0.0,
    speaker_disjoint: Annotated[bool, typer.Option(help="Hold out whole speakers, where splits are drawn.")] = False,
    seed: Annotated[int, typer.Option(help="Of the drawn splits.")] = 1,
    language: Annotated[str | None, typer.Option(help="The language of all captions.")] = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Read a corpus on disk: published, a table, or a folder.

    Places, SpokenCOCO, Flickr8k Audio, CSV, TSV or JSONL; files stay where they are.
    """
    from collections import Counter

    from avterm.corpus.importing import Import, import_corpus

    options = Import(format, images, speech, split, val, test, speaker_disjoint, seed, language)
    corpus, problems = import_corpus(sources, to, options, reporter())
    splits = Counter(p.split for p in corpus)
    if json:
        emit({"corpus": str(corpus.path), "pairs": len(corpus), "splits": splits, "left_out": len(problems)})
    else:
        say(f"{corpus.path}: {len(corpus)} pairs ({', '.join(f'{n} {s}' for s, n in splits.items())})")
        say(f"next: avterm train RUN --corpus {to} --preset modern")
    finish(problems, strict, len(corpus) + len(problems))


def check(
    corpus: CorpusArgument,
    jobs: Annotated[int, typer.Option(help="Processes; 0: one for each processor.")] = 0,
    json: JsonOption = False,
) -> None:
    """Open every picture and recording; name what is wrong. Exit 1 if anything is."""
    from avterm.corpus.check import check_corpus
    from avterm.corpus.manifest import Corpus

    loaded = Corpus.load(corpus)
    problems = check_corpus(loaded, reporter(named=False), jobs)  # they are the result, and listed below
    for problem in problems:
        if json:
            emit({"id": problem.id, "kind": problem.kind, "message": problem.message})
        else:
            say(str(problem))
    if not json:
        say(f"{len(loaded)} pairs: {f'{len(problems)} problems' if problems else 'all well'}")
    raise typer.Exit(1 if problems else 0)


def show(corpus: CorpusArgument, json: JsonOption = False) -> None:
    """Counts, hours, speakers, languages and durations."""
    from avterm.corpus.manifest import Corpus
    from avterm.corpus.show import describe

    found = describe(Corpus.load(corpus), reporter())
    if json:
        emit(found)
        return
    for name, value in found.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        say(f"{name.replace('_', ' '):22}{'-' if shown == '' else shown}")
