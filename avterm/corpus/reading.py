"""Text files of other programs: UTF-8, JSON, tables, lists of pictures by split. What is wrong is named in one line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from avterm.errors import BadInput

SPLIT_NAMES = {
    "train": "train", "training": "train", "restval": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test", "dev_seen": "val", "dev_unseen": "test",
}  # fmt: skip
_MOST_BYTES = 4 << 30


def read_utf8(path: Path) -> str:
    """The text of a file, without a byte order mark; BadInput with its path where it cannot be read."""
    try:
        if not path.exists():
            raise BadInput(f"{path}: no such file")
        if not path.is_file():
            raise BadInput(f"{path}: expected a file, found a folder, a pipe or a device")
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{path}: holds {path.stat().st_size} bytes; at most {_MOST_BYTES} are read")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{path}: expected readable UTF-8, found: {error}") from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, line) of the lines of a text file that are not empty."""
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def parse_json(text: str, where: str) -> Any:
    """The value of a JSON text; BadInput where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of too many digits
        raise BadInput(f"{where}: expected JSON, found: {error}") from None


def read_json(path: Path) -> Any:
    """The value of a JSON file; BadInput where it is none."""
    return parse_json(read_utf8(path), str(path))


def read_rows(path: Path, columns: Collection[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, {column: text}) of a CSV, TSV or JSON-lines table; empty cells are absent.

    BadInput where a CSV or TSV has not all of `columns`, or a line is not what the format asks for. Cells may hold
    line breaks.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        for number, line in lines(path):
            row = parse_json(line, f"{path}:{number}")
            if not isinstance(row, dict):
                raise BadInput(f"{path}:{number}: expected a JSON object, found {type(row).__name__}")
            yield number, {str(k): str(v) for k, v in row.items() if v is not None and str(v).strip()}
        return
    table = csv.DictReader(io.StringIO(read_utf8(path), newline=""), delimiter="\t" if suffix == ".tsv" else ",")
    try:
        found = list(table.fieldnames or ())
        if not set(columns) <= set(found):
            wanted = ", ".join(columns)
            raise BadInput(f"{path}: expected the columns {wanted}, found {', '.join(map(str, found)) or 'none'}")
        for row in table:
            yield (
                table.line_num,
                {k: v for k, v in row.items() if isinstance(k, str) and isinstance(v, str) and v.strip()},
            )
    except csv.Error as error:
        raise BadInput(f"{path}:{table.line_num}: expected a table, found: {error}") from None


def listed_images(path: Path) -> list[dict[str, Any]]:
    """`images[]` of a Karpathy split (`dataset.json`) or of COCO's caption files."""
    value = read_json(path)
    images = value.get("images") if isinstance(value, dict) else None
    if not isinstance(images, list) or not all(isinstance(item, dict) for item in images):
        raise BadInput(f"{path}: expected {{'images': [...]}} as in dataset.json or COCO's caption files")
    return images


def split_named(name: str) -> str | None:
    """The split that a name speaks of: `SpokenCOCO_val.json` → val, `train_2020` → train; None where it names none."""
    low = name.lower()
    return next((SPLIT_NAMES[word] for word in sorted(SPLIT_NAMES, key=len, reverse=True) if word in low), None)


def split_lists(folder: Path) -> dict[str, str]:
    """The split of each picture by the lists in `folder` (`*trainImages.txt`, `*devImages.txt` …), if there are any."""
    splits: dict[str, str] = {}
    for path in sorted(folder.glob("*mages.txt")):
        split = split_named(path.stem)
        if split:
            splits |= {line.strip(): split for _, line in lines(path)}
    return splits
