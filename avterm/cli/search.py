"""`avterm search`: what of a run is near to a new sound or picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli.common import (
    DeviceOption,
    JsonOption,
    RunArgument,
    StrictOption,
    emit,
    finish,
    ids_from,
    reporter,
    say,
)
from avterm.errors import AvtermError, BadInput, Problem, UsageError, printable

if TYPE_CHECKING:
    from avterm.retrieval.hits import Found
    from avterm.retrieval.queries import Query
    from avterm.retrieval.search import Searcher

HEADINGS = {
    "picture": "pictures",
    "caption": "captions",
    "segment": "segments",
    "speech-cluster": "clusters of segments",
    "image-cluster": "clusters of crops",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(search)


def search(
    run: RunArgument,
    queries: Annotated[
        list[str], typer.Argument(metavar="QUERY...", help="Sounds, pictures or ids of pairs; - reads them on stdin.")
    ],
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="Hits of each kind.")] = 10,
    by: Annotated[str | None, typer.Option(help="sound or picture, where neither id nor ending tells.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help=f"Only these: {', '.join(HEADINGS)}; repeatable.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Whole captions and pictures of these splits only.")] = None,
    k: Annotated[int | None, typer.Option("-k", help="Which clusters; without it, those made last.")] = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Captions for a picture, pictures and segments for a sound.

    Whole captions and pictures, and clusters of the other modality, by similarity (higher is nearer); segments, and
    clusters of the query's own modality, by squared distance (lower is nearer). With --json every hit is one object.
    """
    unknown = next((name for name in kind or [] if name not in HEADINGS), None)
    if unknown is not None:
        raise UsageError(f"--kind {unknown}: expected one of {', '.join(HEADINGS)}")
    from avterm.retrieval.queries import queries_of
    from avterm.retrieval.search import Searcher
    from avterm.store.run import Run

    opened, progress = Run.open(run), reporter()
    names = ids_from(queries) or []
    searcher = Searcher(opened, device, split or (), lambda: k)
    problems: list[Problem] = []
    for name in names:
        try:
            for query in queries_of(name, opened.corpus, by):
                found = [f for f in _found(searcher, query, number) if not kind or f.kind in kind]
                _print(query, found, json)
        except BadInput as error:
            if len(names) == 1:
                raise
            problems.append(Problem(name, "unreadable", str(error)))
            progress.problem(problems[-1])
    finish(problems, strict, len(names), "queries")
    if len(problems) == len(names):
        raise AvtermError("not one query could be read")


def _found(searcher: Searcher, query: Query, number: int) -> list[Found]:
    front, pair = searcher.front, query.pair
    if query.by == "sound":
        heard = front.heard_of(pair) if pair else front.listen(query.path)  # type: ignore[arg-type] # one is there
        return searcher.sound(heard, number, without=pair.id if pair else None)
    seen = front.seen_of(pair) if pair else front.look(query.path)  # type: ignore[arg-type] # as above
    return searcher.picture(seen, number)


def _print(query: Query, found: list[Found], json: bool) -> None:
    for kind in HEADINGS:
        hits = [f for f in found if f.kind == kind]
        if hits and not json:
            say(printable(f"{query.text}, by its {query.by}: {HEADINGS[kind]}"))
            say(f"{'rank':>5} {hits[0].measure:>10}")
        for rank, hit in enumerate(hits, 1):
            if json:
                near = {"measure": hit.measure, "value": round(hit.value, 5)}
                emit({"query": query.text, "by": query.by, "kind": kind, "rank": rank, **near, **hit.about})
            else:
                say(printable(f"{rank:5} {hit.value:10.3f}  " + "  ".join(_words(hit.kind, hit.about))))


def _words(kind: str, about: dict[str, Any]) -> Iterator[str]:
    if kind in ("picture", "caption"):
        yield about["picture"] if kind == "picture" else about["recording"]
        yield about["text"] or ""
        return
    if kind == "segment":
        yield f"{about['id']}  {about['start']:.2f}-{about['end']:.2f} s"
    if "cluster" in about:
        yield f"cluster {about['cluster']}"
        yield about["name"] or about["label"] or ""
