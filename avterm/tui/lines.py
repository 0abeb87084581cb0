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


class JsonLines:
    """Records of `path` by their key `id`. A missing or unreadable file holds none."""

    def __init__(self, path: Path) -> None:
        """The file is opened when first asked."""
        self.path = Path(path)
        self._map: mmap.mmap | bytes | None = None
        self._index: dict[str, int] | None = None
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
            return None if at is None else data[: at + 1].count(b"\n")

    def _at(self, data: mmap.mmap | bytes, id: str) -> int | None:
        """Some place in the record's line."""
        for needle in _spellings(id):
            at = data.find(needle)
            while at >= 0:
                record = _parse(data, at)
                if record is not None and record.get("id") == id:
                    return at
                at = data.find(needle, at + 1)
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
