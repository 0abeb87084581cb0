"""What people name on the command line: files, folders, and pairs of the run's corpus by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import BadInput, UsageError
from avterm.retrieval.hits import SOUNDS, kind_of

BOTH = ("sound", "picture")


@dataclass(frozen=True)
class Query:
    """Something to search with: a file, or a pair's caption or picture. by: `sound` or `picture`."""

    text: str  # as it was named
    by: str
    path: Path | None
    pair: Pair | None


def shown(path: Path) -> str:
    """A path of the corpus as people would write it: from here where it lies below, else whole."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(whole)


def queries_of(text: str, corpus: Corpus, by: str | None = None) -> list[Query]:
    """One query for a file; for a pair's id one by its caption and one by its picture. `by`: only this way, and
    whatever a file's ending says. A file wins over an id. BadInput where it is neither."""
    if by is not None and by not in BOTH:
        raise UsageError(f"--by {by}: expected sound or picture")
    path = Path(text).expanduser()
    if path.exists():
        kind = by or kind_of(path)
        if kind is None:
            raise BadInput(
                f"{text}: neither a sound nor a picture by its ending; --by sound or --by picture tells which"
            )
        return [Query(text, kind, path, None)]
    if text not in corpus.index:
        raise BadInput(f"{text}: no such file, and no pair of this id in {corpus.path}")
    return [Query(text, way, None, corpus[text]) for way in ([by] if by else BOTH)]


@dataclass(frozen=True)
class Recording:
    """A recording to be tagged; `id` where it was named as a pair of the corpus."""

    path: Path
    id: str | None = None


def recordings_of(texts: Iterable[str], corpus: Corpus, splits: Iterable[str] = ()) -> Iterator[Recording]:
    """Files, the sounds in folders and the folders in them by name, and pairs by id; then all pairs of `splits`.

    A file or folder wins over an id. BadInput where something is none of them, or where a folder holds no sound.
    """
    for text in texts:
        path = Path(text).expanduser()
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SOUNDS and p.is_file())
            if not inside:
                raise BadInput(f"{text}: no recording in this folder; expected files ending in {', '.join(SOUNDS)}")
            yield from map(Recording, inside)
        elif path.exists():
            yield Recording(path)
        elif text in corpus.index:
            yield Recording(corpus.speech_path(corpus[text]), text)
        else:
            raise BadInput(f"{text}: no such file or folder, and no pair of this id in {corpus.path}")
    for pair in corpus.split(*splits):
        yield Recording(corpus.speech_path(pair), pair.id)
