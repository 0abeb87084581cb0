"""Ids come from elsewhere; the names of exported files must be safe, distinct, and as near to the ids as can be."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

_LONGEST = 150  # bytes of UTF-8, so that a number and an ending still fit into 255
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # on Windows


def safe_name(text: str) -> str:
    """`text` as a file name without its ending: letters of any script, digits, `-`, `_` and `.` stay; everything else
    becomes `_`. Never empty, hidden, reserved, an option, a path, or longer than 150 bytes."""
    kept = "".join(c if c in "-_." or unicodedata.category(c)[0] in "LMN" else "_" for c in _composed(text))
    data = kept.encode("utf-8")
    if len(data) > _LONGEST:
        kept = f"{data[: _LONGEST - 9].decode('utf-8', 'ignore')}~{_digest(text)}"
    kept = kept.rstrip(".")
    if not kept or kept[0] in ".-" or kept.split(".")[0].casefold() in _RESERVED:
        kept = f"_{kept}"
    return kept


def file_names(ids: Iterable[str]) -> dict[str, str]:
    """A safe name for each id, all distinct even where upper and lower case are the same file.

    Of ids that come out the same, the first keeps the plain name, the others end in `~` and eight digits of a hash.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for id in ids:
        name = safe_name(id)
        if name.casefold() in taken:
            name = f"{name}~{_digest(id)}"
        taken.add(name.casefold())
        found[id] = name
    return found


def plain(text: str | None) -> str | None:
    """`text` as UTF-8 can hold it: lone surrogates, from file names of other encodings, are escaped."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
