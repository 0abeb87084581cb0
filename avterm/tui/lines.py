"""One line of a long JSON Lines file, found by its id without reading the file into memory.

A corpus of 200,000 pairs takes seconds to parse; showing one pair must not wait for that.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

BLOCK = 1 << 20  # bytes that are searched at a time


class JsonLines:
    """Records of `path` by their key `id`. A missing or unreadable file holds none."""

    def __init__(self, path: Path) -> None:
        """The file is opened when first asked."""
        self.path = Path(path)
        self._map: mmap.mmap | bytes | None = None
        self._index: dict[str, int] | None = None
        self._found: dict[str, int | None] = {}  # ids that were asked for, and where they are
        self._ends: list[int] = []  # line ends in the first block, in the first two, …
        self._lock = Lock()

    def find(self, id: str) -> dict[str, Any] | None:
        """The record of this id; None where there is none."""
        with self._lock:
            data = self._data()
            at = self._at(data, id)
            return None if at is None else _parse(data, at)

    def line(self, id: str) -> int | None:
        """How many lines stand before the record; None where there is none."""
        with self._lock:
            data = self._data()
            at = self._at(data, id)
            return None if at is None else self._lines_before(data, at)

    def _lines_before(self, data: mmap.mmap | bytes, at: int) -> int:
        """Line ends before a place; those of whole blocks are counted once."""
        while len(self._ends) < at // BLOCK:
            start = len(self._ends) * BLOCK
            self._ends.append((self._ends or [0])[-1] + data[start : start + BLOCK].count(b"\n"))
        whole = at // BLOCK
        return (self._ends[whole - 1] if whole else 0) + data[whole * BLOCK : at].count(b"\n")

    def _at(self, data: mmap.mmap | bytes, id: str) -> int | None:
        """Some place in the record's line."""
        if id not in self._found:
            self._found[id] = self._search(data, id)
        return self._found[id]

    def _search(self, data: mmap.mmap | bytes, id: str) -> int | None:
        for needle in _spellings(id):
            at = _seek(data, needle, 0)
            while at >= 0:
                record = _parse(data, at)
                if record is not None and record.get("id") == id:
                    return at
                at = _seek(data, needle, at + 1)
        return self._offsets(data).get(id)

    def _data(self) -> mmap.mmap | bytes:
        if self._map is None:
            try:
                with self.path.open("rb") as file:
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
                self._map = b""
        return self._map

    def _offsets(self, data: mmap.mmap | bytes) -> dict[str, int]:
        """Where every id's line starts; only needed for files whose spelling was not foreseen."""
        if self._index is None:
            self._index = {}
            at = 0
            while 0 <= at < len(data):
                record = _parse(data, at)
                if record is not None and isinstance(record.get("id"), str):
                    self._index.setdefault(record["id"], at)
                at = data.find(b"\n", at) + 1 or len(data)
        return self._index


def _seek(data: mmap.mmap | bytes, needle: bytes, start: int) -> int:
    """`data.find`, which lets no other thread run, in steps that are over before a key would notice."""
    while start < len(data):
        at = data.find(needle, start, start + BLOCK + len(needle) - 1)
        if at >= 0:
            return at
        start += BLOCK
    return -1


def _spellings(id: str) -> Iterator[bytes]:
    seen = set()
    for ascii_only in (False, True):
        text = json.dumps(id, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        for gap in (b" ", b""):
            needle = b'"id":' + gap + text
            if needle not in seen:
                seen.add(needle)
                yield needle


def _parse(data: mmap.mmap | bytes, at: int) -> dict[str, Any] | None:
    start = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    try:
        record = json.loads(data[start : end if end >= 0 else len(data)].decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
