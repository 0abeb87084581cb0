"""What every importer gives: one caption, with files as the source names them, not yet looked for on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avterm.errors import Problem


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
    problems: list[Problem] = field(default_factory=list)  # records that could not even be read


def text_or_none(value: Any) -> str | None:
    """A non-empty string, else None."""
    return value if isinstance(value, str) and value.strip() else None


def first_existing(folder: Path, *names: str) -> Path | None:
    """The first of these names that is a file in the folder."""
    return next((folder / n for n in names if (folder / n).is_file()), None)
