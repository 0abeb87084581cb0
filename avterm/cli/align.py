"""`avterm align`: word times from transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avterm.cli.common import JsonOption, RedoOption, StrictOption, emit, finish, reporter, say
from avterm.errors import printable


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(align)


def align(
    source: Annotated[Path, typer.Argument(metavar="RUN|CORPUS", help="A run, or a corpus whose pairs have texts.")],
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Without it, words.jsonl beside the corpus.")] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each processor.")] = 0,
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Find when each word of English texts is spoken.

    By pocketsphinx. Only evaluation reads it; learning never sees it.
    """
    import os
    from dataclasses import asdict

    from avterm.corpus.manifest import Corpus
    from avterm.evaluation.align import align as stage
    from avterm.store.run import Run

    corpus = Run.open(source).corpus if (source / "run.toml").is_file() else Corpus.load(source)
    progress = reporter()
    done = stage(corpus, to or corpus.words_path, progress, jobs or os.cpu_count() or 1, redo)
    if json:
        emit(asdict(done))
    else:
        said = done.placed + done.unplaced
        say(f"{done.path}: {done.placed} of {said} words in {done.captions} of {len(corpus)} captions")
        if done.unknown:
            listed = ", ".join(f"{word} {count}" for word, count in list(done.unknown.items())[:20])
            say(printable(f"not in the dictionary: {len(done.unknown)} words: {listed}"))
    finish(progress.problems, strict, len(corpus), "captions")
