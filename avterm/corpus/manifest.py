"""The corpus: one line of `corpus.jsonl` a pair of picture and spoken caption, paths relative to that file.

Word times (`words.jsonl`) and true boxes (`boxes.jsonl`) may lie beside it. Learning never reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from avterm.config import fingerprint
from avterm.errors import BadInput
from avterm.store.atomic import write_text

_MOST_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and a spoken caption of it (section 2). `image` and `speech` are paths relative to the manifest."""

    id: str
    image: str
    speech: str
    split: str = "train"
    speaker: str | None = None
    language: str | None = None
    text: str | None = None


class Corpus:
    """The pairs of one manifest, in its order. Ids are unique."""

    def __init__(self, path: Path, pairs: Iterable[Pair]) -> None:
        """`path` is the manifest's own path, to which the pairs' paths are relative; it need not exist yet."""
        self.path = Path(path)
        self.pairs = tuple(pairs)

    @classmethod
    def load(cls, path: str | Path) -> Corpus:
        """Read `corpus.jsonl`, or the one in a folder. BadInput names the first line that is not a pair."""
        path = Path(path)
        if path.is_dir():
            path = path / "corpus.jsonl"
        try:
            if path.exists() and not path.is_file():
                raise BadInput(f"{path}: expected a file, found a pipe or a device")
            if path.stat().st_size > _MOST_BYTES:
                raise BadInput(f"{path}: holds {path.stat().st_size} bytes; at most {_MOST_BYTES} are read")
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise BadInput(
                f"{path}: no corpus here; make one with `avterm corpus import` or `avterm corpus demo`"
            ) from None
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: expected a corpus in UTF-8, found: {error}") from None
        pairs, seen = [], set()
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            pair = _parse(line, f"{path}:{number}")
            if pair.id in seen:
                raise BadInput(f"{path}:{number}: id {pair.id!r} stands twice; ids must be unique")
            seen.add(pair.id)
            pairs.append(pair)
        return cls(path, pairs)

    def save(self) -> None:
        """Write the manifest, whole or not at all."""
        lines = (
            json.dumps({k: v for k, v in asdict(p).items() if v is not None}, ensure_ascii=False) for p in self.pairs
        )
        write_text(self.path, "".join(f"{line}\n" for line in lines))

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __getitem__(self, id: str) -> Pair:
        return self.pairs[self.index[id]]

    @cached_property
    def index(self) -> dict[str, int]:
        """Where each id stands in `pairs`."""
        return {p.id: i for i, p in enumerate(self.pairs)}

    def split(self, *names: str) -> list[Pair]:
        """The pairs of these splits, in order."""
        return [p for p in self.pairs if p.split in names]

    def image_path(self, pair: Pair) -> Path:
        """Where the pair's picture lies on disk."""
        return self.path.parent / pair.image

    def speech_path(self, pair: Pair) -> Path:
        """Where the pair's recording lies on disk."""
        return self.path.parent / pair.speech

    @cached_property
    def fingerprint(self) -> str:
        """Changes when any pair changes."""
        return fingerprint([[p.id, p.image, p.speech, p.split] for p in self.pairs])

    @property
    def words_path(self) -> Path:
        """Where the importers put word times, if the source has any."""
        return self.path.parent / "words.jsonl"

    @property
    def boxes_path(self) -> Path:
        """Where the importers put true boxes, if the source has any."""
        return self.path.parent / "boxes.jsonl"


def _parse(line: str, where: str) -> Pair:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: expected one JSON object, found: {error}") from None
    if not isinstance(record, dict):
        raise BadInput(f"{where}: expected a JSON object, found {type(record).__name__}")
    for key in ("id", "image", "speech"):
        if not isinstance(record.get(key), str) or not record[key] or "\0" in record[key]:
            raise BadInput(f"{where}: expected a string under {key!r}, found {record.get(key)!r}")
    known = {k: record[k] for k in Pair.__slots__ if record.get(k) is not None}
    bad = next((k for k, v in known.items() if not isinstance(v, str)), None)
    if bad is not None:
        raise BadInput(f"{where}: expected a string under {bad!r}, found {known[bad]!r}")
    return Pair(**known)
