"""When each word of a caption is spoken, from whatever file says so. Evaluation reads this; learning never does.

Read are CTM, Praat TextGrid (one file or a folder of them), ELAN .eaf, JSON lines (`{"id", "words"}`), Places JSON with
`text_alignment`, and `word-alignment-*.json` or `.csv` (id, word, start, end).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from avterm.corpus.manifest import Corpus
from avterm.corpus.reading import lines, parse_json, read_json, read_rows
from avterm.corpus.tiers import read_eaf, read_textgrid
from avterm.errors import BadInput

NOISES = {"<spoken_noise>", "<unk>", "<eps>", "sil", "sp", "spn", "<sil>"}  # tokens of aligners, not words
_LATEST = 1e7  # seconds


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word and its time in the recording, in seconds."""

    word: str
    start: float
    end: float


def words_of(corpus: Corpus, path: Path | None = None, tier: str | None = None) -> dict[str, list[Word]]:
    """Words by pair id: from `path`, else from the corpus's own words.jsonl, else none."""
    if path is None:
        if not corpus.words_path.exists():
            return {}
        path = corpus.words_path
    return read_words(path, corpus, tier)


def read_words(path: Path, corpus: Corpus | None = None, tier: str | None = None) -> dict[str, list[Word]]:
    """Words by pair id, in order of time, from a file or a folder of TextGrid or .eaf files.

    With a corpus, utterance names of other programs (file stems, `X.jpg#2` for `X_2.wav`, paths without their first
    folder and ending) become its ids, and what it does not hold is left out. `tier` names the tier of a TextGrid or
    .eaf; without it the first called "word" or "words", else the only one. BadInput names the first line that is not
    what it should be.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in {".textgrid", ".eaf"})
        if not files:
            raise BadInput(f"{path}: expected TextGrid or .eaf files in this folder, found none")
        raw = {p.relative_to(path).with_suffix("").as_posix(): _tier_words(p, tier) for p in files}
    else:
        raw = _read_file(path, tier)
    found: dict[str, list[Word]] = {}
    names = _names(corpus) if corpus is not None else None
    for name, words in raw.items():
        id = name if names is None else _lookup(names, name)
        if id is not None:
            found.setdefault(id, []).extend(words)
    for listed in found.values():
        listed.sort(key=lambda w: (w.start, w.end))
    return found


def parse_alignment(text: str, where: str) -> list[Word]:
    """`"start__WORD__end start__WORD__end"` in seconds; noise tokens are left out, a malformed token is an error."""
    words: list[Word] = []
    for token in text.split():
        parts = token.split("__")
        if len(parts) != 3:
            raise BadInput(f"{where}: expected start__WORD__end, found {token[:60]!r}")
        _add(words, parts[1], parts[0], parts[2], where)
    return words


def _read_file(path: Path, tier: str | None) -> dict[str, list[Word]]:
    suffix = path.suffix.lower()
    if suffix in {".textgrid", ".eaf"}:
        return {path.stem: _tier_words(path, tier)}
    readers = {".ctm": _ctm, ".csv": _csv, ".jsonl": _jsonl, ".json": _json}
    if suffix in readers:
        return _grouped(readers[suffix](path))
    raise BadInput(f"{path}: expected word times as .ctm, .TextGrid, .eaf, .jsonl, .json or .csv")


def _grouped(rows: Iterator[tuple[str, list[Word]]]) -> dict[str, list[Word]]:
    found: dict[str, list[Word]] = {}
    for id, words in rows:
        found.setdefault(id, []).extend(words)
    return found


def _ctm(path: Path) -> Iterator[tuple[str, list[Word]]]:
    for number, line in lines(path):
        if line.startswith(";;"):
            continue
        parts = line.split()
        if len(parts) < 5:
            raise BadInput(f"{path}:{number}: expected utterance channel start duration word, found {line[:80]!r}")
        words: list[Word] = []
        end = _number(parts[2], f"{path}:{number}") + _number(parts[3], f"{path}:{number}")
        _add(words, parts[4], parts[2], end, f"{path}:{number}")
        yield parts[0], words


def _csv(path: Path) -> Iterator[tuple[str, list[Word]]]:
    for number, row in read_rows(path, ("id", "word", "start", "end")):
        words: list[Word] = []
        _add(words, row.get("word", ""), row.get("start"), row.get("end"), f"{path}:{number}")
        yield row.get("id", ""), words


def _jsonl(path: Path) -> Iterator[tuple[str, list[Word]]]:
    for number, line in lines(path):
        yield from _record(parse_json(line, f"{path}:{number}"), f"{path}:{number}")


def _json(path: Path) -> Iterator[tuple[str, list[Word]]]:
    value = read_json(path)
    records = value.get("data", value) if isinstance(value, dict) else value
    if isinstance(records, dict):
        records = [{"id": id, "words": words} for id, words in records.items()]
    if not isinstance(records, list):
        raise BadInput(f"{path}: expected a list of records with word times")
    for place, record in enumerate(records):
        yield from _record(record, f"{path}: record {place + 1}")


def _record(record: Any, where: str) -> Iterator[tuple[str, list[Word]]]:
    if not isinstance(record, dict):
        raise BadInput(f"{where}: expected an object, found {str(record)[:60]!r}")
    caption = record.get("caption")
    inner: dict[str, Any] = caption if isinstance(caption, dict) else record
    id = record.get("id") or inner.get("uttid") or Path(str(inner.get("wav", ""))).stem
    if not isinstance(id, str) or not id:
        raise BadInput(f"{where}: expected an id, uttid or wav")
    words: list[Word] = []
    alignment = record.get("text_alignment") or inner.get("text_alignment")
    if isinstance(alignment, str):
        words = parse_alignment(alignment, where)
    elif isinstance(record.get("words"), list):
        for item in record["words"]:
            if not isinstance(item, dict) or "word" not in item:
                raise BadInput(f"{where}: expected {{word, start, end}}, found {str(item)[:60]!r}")
            _add(words, item["word"], item.get("start"), item.get("end"), where)
    elif "word" in record:
        _add(words, record["word"], record.get("start"), record.get("end"), where)
    yield id, words


def _tier_words(path: Path, tier: str | None) -> list[Word]:
    tiers = read_eaf(path) if path.suffix.lower() == ".eaf" else read_textgrid(path)
    if not tiers:
        raise BadInput(f"{path}: holds no tier of intervals")
    if tier is not None:
        if tier not in tiers:
            raise BadInput(f"{path}: has no tier {tier!r}; it has {', '.join(tiers)}")
        chosen = tiers[tier]
    else:
        named = [n for n in tiers if n.lower() in {"word", "words"}]
        if not named and len(tiers) > 1:
            raise BadInput(f"{path}: has tiers {', '.join(tiers)}; choose one with --tier")
        chosen = tiers[named[0] if named else next(iter(tiers))]
    words: list[Word] = []
    for start, end, label in chosen:
        if label.strip():
            _add(words, label.strip(), start, end, str(path))
    return words


def _add(words: list[Word], word: Any, start: Any, end: Any, where: str) -> None:
    text = str(word).strip()
    if not text or text.lower() in NOISES:
        return
    begin, stop = _number(start, where), _number(end, where)
    if not 0 <= begin <= stop <= _LATEST:
        raise BadInput(f"{where}: word {text[:40]!r} lasts from {begin} to {stop} s; expected 0 <= start <= end")
    words.append(Word(text.lower(), begin, stop))


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"{where}: expected a time in seconds, found {value!r:.40}") from None
    if not math.isfinite(number):
        raise BadInput(f"{where}: expected a time in seconds, found {value!r:.40}")
    return number


def _names(corpus: Corpus) -> dict[str, str]:
    """Every name under which a program may know a pair → its id; exact ids win."""
    names: dict[str, str] = {}
    rules: list[Callable[[PurePosixPath], str]] = [
        lambda p: p.stem,
        lambda p: (p.parent / p.stem).as_posix(),
        lambda p: PurePosixPath(*(p.parent / p.stem).parts[1:]).as_posix(),
    ]
    for pair in corpus:
        for rule in rules:
            names.setdefault(rule(PurePosixPath(pair.speech)), pair.id)
    for pair in corpus:
        names[pair.id] = pair.id
    return names


def _lookup(names: dict[str, str], name: str) -> str | None:
    if name in names:
        return names[name]
    picture, mark, number = name.partition("#")  # Flickr8k: X.jpg#2 is X_2.wav
    if mark and f"{PurePosixPath(picture).stem}_{number}" in names:
        return names[f"{PurePosixPath(picture).stem}_{number}"]
    return names.get(PurePosixPath(name).stem)
