"""A corpus of one's own: a table with columns `image` and `speech`, or a folder of pictures beside recordings."""

from __future__ import annotations

import re
from pathlib import Path

from avterm.corpus.importers.record import Record, Source, first_existing
from avterm.corpus.reading import SPLIT_NAMES, read_rows
from avterm.errors import BadInput, Problem

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}


def read_table(path: Path) -> Source:
    """CSV, TSV or JSON lines with `image`, `speech` and any of `id, split, speaker, language, text`.

    A row without its two files, or with a split that is none, is left out and named.
    """
    records, problems = [], []
    for number, row in read_rows(path, ("image", "speech")):
        image, speech, split = row.get("image"), row.get("speech"), row.get("split", "").lower()
        if image is None or speech is None:
            problems.append(
                Problem(f"{path.name}:{number}", "malformed", "expected a file under 'image' and one under 'speech'")
            )
        elif split and split not in SPLIT_NAMES:
            problems.append(
                Problem(f"{path.name}:{number}", "malformed", f"expected split train, val or test, found {split!r}")
            )
        else:
            named = (row.get(key) for key in ("speaker", "language", "text"))
            records.append(Record(row.get("id") or Path(speech).stem, image, speech, SPLIT_NAMES.get(split), *named))
    folder = path.parent
    words = first_existing(folder, "words.jsonl", "words.ctm")
    boxes = first_existing(folder, "boxes.jsonl", "boxes.json")
    return Source(records, [folder], [folder], words, boxes, problems)


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
