"""From a source on disk to a corpus: find the format, the files, the splits; name everything that is left out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avterm.corpus.boxes import read_boxes
from avterm.corpus.importers.flickr8k import read_flickr8k
from avterm.corpus.importers.places import read_data_json, read_old_places
from avterm.corpus.importers.record import Record, Source
from avterm.corpus.importers.tables import read_folder, read_table
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.splits import draw_splits
from avterm.corpus.words import Word, parse_alignment, read_words
from avterm.errors import BadInput, Problem, UsageError
from avterm.progress import Progress
from avterm.store.atomic import write_text

FORMATS = ("auto", "places", "spokencoco", "flickr8k", "table", "folder")


@dataclass(frozen=True)
class Import:
    """How to import: see `avterm corpus import --help`."""

    format: str = "auto"
    images: Path | None = None
    speech: Path | None = None
    split: str = "keep"  # keep | draw
    val: float = 0.1
    test: float = 0.0
    speaker_disjoint: bool = False
    seed: int = 1
    language: str | None = None


def import_corpus(
    sources: Sequence[Path], folder: Path, options: Import, progress: Progress
) -> tuple[Corpus, list[Problem]]:
    """Write `folder/corpus.jsonl`, and words.jsonl and boxes.jsonl where the source has them.

    Files stay where they are; the manifest holds paths relative to itself. Returns the corpus and what was left out:
    captions whose picture or recording is not there, and second uses of an id.
    """
    source = read_source(sources, options.format)
    image_roots = [options.images] if options.images else source.image_roots
    speech_roots = [options.speech] if options.speech else source.speech_roots
    folder.mkdir(parents=True, exist_ok=True)
    pairs, problems, alignments = [], list(source.problems), {}
    for problem in problems:
        progress.problem(problem)
    seen: set[str] = set()
    with progress.step("import", len(source.records), "captions") as step:
        for record in source.records:
            step.advance()
            pair = _pair(record, image_roots, speech_roots, folder, options.language)
            if isinstance(pair, Pair) and pair.id in seen:
                pair = Problem(pair.id, "duplicate-id", "this id stands twice; the first is kept")
            if isinstance(pair, Problem):
                problems.append(pair)
                progress.problem(pair)
            else:
                seen.add(pair.id)
                pairs.append(pair)
                if record.alignment:
                    alignments[pair.id] = record.alignment
    if not pairs:
        first = f"; the first: {problems[0]}" if problems else ""
        raise BadInput(f"{sources[0]}: not one pair could be imported{first}")
    corpus = Corpus(folder / "corpus.jsonl", _splits(pairs, options))
    _write_words(corpus, source, alignments)
    _write_boxes(corpus, source)
    corpus.save()
    return corpus, problems


def read_source(sources: Sequence[Path], format: str = "auto") -> Source:
    """What an importer finds in these files or this folder; BadInput where no format fits."""
    if format not in FORMATS:
        raise UsageError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    missing = next((s for s in sources if not s.exists()), None)
    if missing is not None:
        raise BadInput(f"{missing}: no such file or folder")
    files = [s for s in sources if s.is_file()]
    if files:
        if len(files) != len(sources):
            raise UsageError("give either files or one folder")
        if all(f.suffix.lower() == ".json" for f in files):
            return read_data_json(files)
        if len(files) == 1 and files[0].suffix.lower() in {".csv", ".tsv", ".jsonl"}:
            return read_table(files[0])
        raise BadInput(f"{files[0]}: expected .json files, or one .csv, .tsv or .jsonl")
    if len(sources) != 1:
        raise UsageError("give one folder, or files")
    return _read_folder(sources[0], format)


def _read_folder(folder: Path, format: str) -> Source:
    splits = [p for p in sorted(folder.glob("*.json")) if _holds_data(p)]
    flickr = [*folder.glob("wav2capt.txt"), *folder.glob("*/wav2capt.txt"), *folder.parent.glob("wav2capt.txt")]
    old = [*folder.glob("metadata/utt2wav"), *folder.glob("utt2wav")]
    tables = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in {".csv", ".tsv", ".jsonl"} and _is_table(p)]
    if format in {"auto", "places", "spokencoco"} and splits:
        return read_data_json(splits)
    if format in {"auto", "places"} and old:
        return read_old_places(folder)
    if format in {"auto", "flickr8k"} and flickr:
        return read_flickr8k(folder)
    if format in {"auto", "table"} and tables:
        return read_table(tables[0])
    if format in {"auto", "folder"}:
        return read_folder(folder)
    raise BadInput(f"{folder}: holds nothing that --format {format} can read")


def _holds_data(path: Path) -> bool:
    return b'"data"' in _beginning(path)


def _is_table(path: Path) -> bool:
    head = _beginning(path).partition(b"\n")[0]
    return b"image" in head and b"speech" in head


def _beginning(path: Path) -> bytes:
    """The first 4 KiB; nothing of what is no file or cannot be opened."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""


def _pair(
    record: Record, image_roots: list[Path], speech_roots: list[Path], folder: Path, language: str | None
) -> Pair | Problem:
    image, speech = _find(record.image, image_roots), _find(record.speech, speech_roots)
    for kind, name, found in (("picture", record.image, image), ("recording", record.speech, speech)):
        if found is None:
            option = "--images" if kind == "picture" else "--speech"
            return Problem(
                record.id, f"missing-{kind}", f"{name or '(none given)'} is not there; {option} gives its folder"
            )
    return Pair(
        record.id,
        os.path.relpath(image or "", folder),
        os.path.relpath(speech or "", folder),
        record.split or "train",
        record.speaker,
        language or record.language,
        record.text,
    )


def _find(name: str, roots: list[Path]) -> str | None:
    if not name or "\0" in name:
        return None
    for root in roots:
        path = os.path.join(root.resolve(), name)
        if os.path.isfile(path):
            return path
    return None


def _splits(pairs: list[Pair], options: Import) -> list[Pair]:
    if options.split == "draw":
        return draw_splits(pairs, options.val, options.test, options.seed, options.speaker_disjoint)
    if options.split != "keep":
        raise UsageError(f"--split {options.split}: expected keep or draw")
    if len({p.split for p in pairs}) == 1 and len({p.image for p in pairs}) > 1 and pairs[0].split == "train":
        return draw_splits(pairs, options.val, options.test, options.seed, options.speaker_disjoint)
    return pairs


def _write_words(corpus: Corpus, source: Source, alignments: dict[str, str]) -> None:
    words: dict[str, list[Word]] = {id: parse_alignment(text, id) for id, text in alignments.items()}
    if source.words is not None:
        words |= read_words(source.words, corpus)
    if words:
        rows = (
            {"id": p.id, "words": [{"word": w.word, "start": w.start, "end": w.end} for w in words[p.id]]}
            for p in corpus
            if p.id in words
        )
        write_text(corpus.words_path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))


def _write_boxes(corpus: Corpus, source: Source) -> None:
    if source.boxes is None:
        return
    boxes = read_boxes(source.boxes)
    rows = (
        {"id": p.id, "boxes": [{"word": b.word, "box": list(b.box)} for b in boxes[p.id]]}
        for p in corpus
        if p.id in boxes
    )
    write_text(corpus.boxes_path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
