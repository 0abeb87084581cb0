"""`avterm corpus demo` and `avterm corpus speak`: corpora that the synthesiser speaks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from avterm.cli.common import JsonOption, StrictOption, emit, finish, reporter, say
from avterm.errors import UsageError

JobsOption = Annotated[int, typer.Option(help="Processes; 0: one for each processor.")]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]


def register_corpus(corpus_app: typer.Typer) -> None:
    """Add `demo` and `speak` to the group `avterm corpus`."""
    corpus_app.command("demo")(demo)
    corpus_app.command("speak")(speak)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put the corpus.")],
    pairs: Annotated[int, typer.Option(help="Pictures with a spoken caption.")] = 1500,
    seed: SeedOption = 1,
    jobs: JobsOption = 0,
    json: JsonOption = False,
) -> None:
    """Make the demo corpus: drawn scenes and spoken captions.

    Of 28 nameable things, with word times and true boxes.
    """
    from avterm.corpus.demo.making import make_demo

    corpus = make_demo(folder, pairs, seed, processes(jobs), reporter())
    _summarise(corpus, json)


def speak(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Written captions: a folder or file (see above).")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to put the spoken corpus.")],
    images: Annotated[Path | None, typer.Option(help="The folder of the pictures, if not beside SOURCE.")] = None,
    language: Annotated[str | None, typer.Option(help="The synthesiser's code, as en, fr, de, cmn, en-gb.")] = None,
    voices: Annotated[int, typer.Option(help="How many speakers.")] = 8,
    captions: Annotated[str, typer.Option(help="How many captions of a picture: all, or a number.")] = "all",
    seed: SeedOption = 1,
    jobs: JobsOption = 0,
    strict: StrictOption = False,
    json: JsonOption = False,
) -> None:
    """Give voices to pictures with written captions.

    SOURCE is an avterm corpus with `text`, a token file (image#n<TAB>text) with the lists of images beside it,
    dataset.json, COCO captions, or CSV/TSV/JSONL with the columns image and text.
    """
    from avterm.corpus import speak as stage

    count = None if captions == "all" else _number(captions)
    progress = reporter()
    corpus = stage.speak(
        source,
        to,
        images=images,
        language=language,
        voices=voices,
        captions=count,
        seed=seed,
        jobs=processes(jobs),
        progress=progress,
    )
    _summarise(corpus, json)
    finish(progress.problems, strict, len(corpus) + len(progress.problems), "captions")


def processes(jobs: int) -> int:
    """How many processes `--jobs` means."""
    return jobs or os.cpu_count() or 1


def _number(captions: str) -> int:
    if not captions.isdecimal() or int(captions) < 1:
        raise UsageError(f"--captions {captions!r}: expected all, or a number from 1")
    return int(captions)


def _summarise(corpus: Any, json: bool) -> None:
    facts: dict[str, Any] = {
        "corpus": str(corpus.path),
        "pairs": len(corpus),
        "pictures": len({pair.image for pair in corpus}),
        "speakers": len({pair.speaker for pair in corpus}),
        "languages": sorted({pair.language for pair in corpus if pair.language}),
        "splits": {name: len(corpus.split(name)) for name in ("train", "val", "test") if corpus.split(name)},
    }
    if json:
        emit(facts)
        return
    splits = ", ".join(f"{count} {name}" for name, count in facts["splits"].items())
    say(f"{corpus.path}: {facts['pairs']} pairs ({splits}), {facts['pictures']} pictures, {facts['speakers']} speakers")
