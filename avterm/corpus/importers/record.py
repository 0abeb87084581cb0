"""What every importer gives: one caption, with files as the source names them, not yet looked for on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avterm.errors import BadInput

SPLIT_NAMES = {
    "train": "train", "training": "train", "restval": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test", "dev_seen": "val", "dev_unseen": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One caption of a source. image, speech: as written there, relative to the source's roots."""

    id: str
    image: str
    speech: str
    split: str | None = None
    speaker: str | None = None
    language: str | None = None
    text: str | None = None
    alignment: str | None = None  # Places' start__WORD__end


@dataclass(frozen=True)
class Source:
    """Everything that an importer found: the records, where their files may lie, and times and boxes beside them."""

    records: list[Record]
    image_roots: list[Path]
    speech_roots: list[Path]
    words: Path | None = None
    boxes: Path | None = None


def load_json(path: Path) -> Any:
    """The value in a JSON file; BadInput in one line where it is not one."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: expected JSON, found: {error}") from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, line) of the lines of a text file that are not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: expected text in UTF-8, found: {error}") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def text_or_none(value: Any) -> str | None:
    """A non-empty string, else None."""
    return value if isinstance(value, str) and value.strip() else None


def first_existing(folder: Path, *names: str) -> Path | None:
    """The first of these names that is a file in the folder."""
    return next((folder / n for n in names if (folder / n).is_file()), None)


def split_of(name: str) -> str | None:
    """The split that a file name speaks of: `SpokenCOCO_val.json` → val, `train_2020.json` → train."""
    stem = Path(name).stem.lower()
    for word in sorted(SPLIT_NAMES, key=len, reverse=True):
        if word in stem:
            return SPLIT_NAMES[word]
    return None
