"""A corpus of one's own: a table with columns `image` and `speech`, or a folder of pictures beside recordings."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

from avterm.corpus.importers.record import SPLIT_NAMES, Record, Source, first_existing, lines, text_or_none
from avterm.errors import BadInput

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}


def read_table(path: Path) -> Source:
    """CSV, TSV or JSON lines with `image`, `speech` and any of `id, split, speaker, language, text`."""
    suffix = path.suffix.lower()
    rows: list[tuple[int, dict[str, Any]]] = []
    if suffix == ".jsonl":
        for number, line in lines(path):
            try:
                value = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise BadInput(f"{path}:{number}: expected one JSON object, found: {error}") from None
            if not isinstance(value, dict):
                raise BadInput(f"{path}:{number}: expected a JSON object, found {type(value).__name__}")
            rows.append((number, value))
    else:
        text = [line for _, line in lines(path)]
        reader = csv.DictReader(text, delimiter="\t" if suffix == ".tsv" else ",")
        missing = {"image", "speech"} - set(reader.fieldnames or [])
        if missing:
            raise BadInput(f"{path}: expected columns image and speech; missing {', '.join(sorted(missing))}")
        rows = [(reader.line_num, dict(row)) for row in reader]
    records = []
    for number, row in rows:
        image, speech = text_or_none(row.get("image")), text_or_none(row.get("speech"))
        if image is None or speech is None:
            raise BadInput(f"{path}:{number}: expected a file under 'image' and under 'speech'")
        split = text_or_none(row.get("split"))
        if split is not None and split.lower() not in SPLIT_NAMES:
            raise BadInput(f"{path}:{number}: expected split train, val or test, found {split!r}")
        records.append(
            Record(
                text_or_none(row.get("id")) or Path(speech).stem,
                image,
                speech,
                SPLIT_NAMES[split.lower()] if split else None,
                *(text_or_none(row.get(k)) for k in ("speaker", "language", "text")),
            )
        )
    folder = path.parent
    words = first_existing(folder, "words.jsonl", "words.ctm")
    return Source(records, [folder], [folder], words, first_existing(folder, "boxes.jsonl", "boxes.json"))


def read_folder(folder: Path) -> Source:
    """`name.jpg` beside `name.wav`, or `name_1.wav`, `name_2.wav` … for several captions; folders within are walked."""
    pictures: dict[str, Path] = {}
    sounds: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES:
            pictures.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
        elif path.suffix.lower() in SOUNDS:
            sounds.append(path)
    records = []
    for sound in sounds:
        stem = sound.relative_to(folder).with_suffix("").as_posix()
        name = stem if stem in pictures else re.sub(r"_\d+$", "", stem)
        picture = pictures.get(name)
        shown = picture.relative_to(folder).as_posix() if picture else f"{name}.jpg"
        records.append(Record(stem, shown, sound.relative_to(folder).as_posix()))
    if not records:
        raise BadInput(f"{folder}: expected name.jpg beside name.wav (or name_1.wav …), found no recording")
    return Source(records, [folder], [folder], first_existing(folder, "words.jsonl", "words.ctm"))
