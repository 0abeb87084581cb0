"""Interval tiers of Praat TextGrid and ELAN .eaf files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from avterm.errors import BadInput
from avterm.store.incoming import existing_file

Intervals = list[tuple[float, float, str]]
_MOST_BYTES = 32 << 20  # of hours of annotation, and what a file of so many numbers takes in memory is bearable
_TIME = re.compile(r"[0-9]{1,15}")  # milliseconds
_STRING = r'"((?:[^"]|"")*)"'
_NUMBER = r"(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
_TOKEN = re.compile(rf"{_STRING}|{_NUMBER}")
_BRACKET = re.compile(r"\[\s*(?:\d+\s*)?\]")  # linear: no run of spaces can be split in two ways


def read_textgrid(path: Path) -> dict[str, Intervals]:
    """{tier: [(start s, end s, label)]} of a TextGrid, long or short, UTF-8 or UTF-16, Praat's or ELAN's spelling.

    Only strings and numbers are looked at, which stand in the same order in all of them. BadInput where the file
    breaks off or is something else. Point tiers are skipped.
    """
    text = _decode(path)
    if "ooTextFile" not in text[:200]:
        raise BadInput(f"{path}: expected a Praat TextGrid, found another kind of file")
    bare = _BRACKET.sub(" ", text)
    tokens = [
        m.group(1).replace('""', '"') if m.group(1) is not None else float(m.group(2)) for m in _TOKEN.finditer(bare)
    ]
    tiers: dict[str, Intervals] = {}
    place = 0
    try:
        while place < len(tokens):
            if tokens[place] not in ("IntervalTier", "TextTier"):
                place += 1
                continue
            interval, name = tokens[place] == "IntervalTier", str(tokens[place + 1])
            count, place = int(tokens[place + 4]), place + 5
            width = 3 if interval else 2
            if count < 0 or place + count * width > len(tokens):
                raise BadInput(f"{path}: tier {name!r} promises {count} intervals, and breaks off before")
            if interval:
                rows = [tokens[place + 3 * i : place + 3 * i + 3] for i in range(count)]
                tiers[name] = [(float(a), float(b), str(label)) for a, b, label in rows]
            place += count * width
    except (IndexError, ValueError, OverflowError):
        raise BadInput(f"{path}: the TextGrid breaks off or is damaged") from None
    return tiers


def read_eaf(path: Path) -> dict[str, Intervals]:
    """{tier: [(start s, end s, label)]} of an ELAN file's time-aligned annotations."""
    try:
        existing_file(path, "an ELAN file", _MOST_BYTES)
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError, ValueError, LookupError, RecursionError) as error:  # LookupError: the encoding
        raise BadInput(f"{path}: expected an ELAN file, found: {error}") from None
    slots = {s.get("TIME_SLOT_ID"): s.get("TIME_VALUE") for s in root.iter("TIME_SLOT")}
    tiers: dict[str, Intervals] = {}
    for tier in root.iter("TIER"):
        rows: Intervals = []
        for note in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = (slots.get(note.get(f"TIME_SLOT_REF{i}")) for i in (1, 2))
            if start is None or end is None or not _TIME.fullmatch(start) or not _TIME.fullmatch(end):
                raise BadInput(f"{path}: annotation {note.get('ANNOTATION_ID')} has no time")
            rows.append((int(start) / 1000, int(end) / 1000, note.findtext("ANNOTATION_VALUE") or ""))
        if rows:
            tiers[tier.get("TIER_ID") or ""] = rows
    return tiers


def _decode(path: Path) -> str:
    try:
        existing_file(path, "a TextGrid", _MOST_BYTES)
        data = path.read_bytes()
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{path}: expected a TextGrid in UTF-8 or UTF-16, found: {error}") from None
