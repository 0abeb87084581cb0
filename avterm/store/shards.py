"""One shard: an HDF5 file of named arrays behind a header line that says what it is and sums what follows.

The header fills the file's user block (the first 4,096 bytes, which HDF5 leaves to applications): one line of JSON
with kind, format, rows, fingerprint and a checksum of the rest, so that `head -1` shows it and a damaged file is
refused before the HDF5 library parses a byte of it. Same arrays and header, same bytes.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from avterm.errors import StoreError
from avterm.store.arrays import FILES, Array, Place, place_of
from avterm.store.atomic import replacing
from avterm.store.layouts import misfit
from avterm.store.opened import Key, Opened, Version, version_of

FORMAT = 1
HEADER_BYTES = 4096
_WHATEVER_H5PY_RAISES = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, MemoryError)
_verified: dict[Key, dict[str, Place]] = {}  # the places of the arrays of each shard that is as its checksum says
_TEXTS: Opened[h5py.File] = Opened(lambda path: h5py.File(path, "r"), lambda file: file.id.get_vfd_handle(), most=8)


@dataclass(frozen=True)
class Header:
    """What a shard says of itself: what it holds, how many rows, and what it was made from."""

    kind: str
    rows: int
    fingerprint: str
    info: dict[str, Any]
    checksum: int | None = field(default=None, compare=False)  # of all that follows the header, once it is written


def write_shard(path: Path, header: Header, arrays: Mapping[str, np.ndarray | list[str]]) -> None:
    """Write `arrays` ({name: array, or list of strings}; names may hold `/`) as one shard, whole or not at all."""
    with replacing(Path(path)) as temporary:
        try:
            with h5py.File(temporary, "w", userblock_size=HEADER_BYTES, libver="v110") as file:
                for name, values in arrays.items():
                    if isinstance(values, list):
                        file.create_dataset(name, data=_texts(values))
                    else:
                        file.create_dataset(name, data=values)
        except RuntimeError as error:  # so h5py says that the disk refused to take what was kept back until the end
            raise OSError(str(error).splitlines()[0]) from error
        seal(temporary, header)


def seal(path: Path, header: Header) -> None:
    """Write the header, with the checksum of all that follows it, into the user block of a closed HDF5 file."""
    line = {
        "avterm": header.kind, "format": FORMAT, "rows": header.rows, "fingerprint": header.fingerprint,
        "crc32": _checksum(path), "bytes": path.stat().st_size, "info": header.info,
    }  # fmt: skip
    line["header"] = _header_checksum(line)
    data = json.dumps(line, sort_keys=True).encode("ascii") + b"\n"
    if len(data) > HEADER_BYTES:
        raise StoreError(f"{path}: header of {len(data)} bytes does not fit {HEADER_BYTES}")
    with path.open("r+b") as file:
        file.write(data.ljust(HEADER_BYTES, b"\0"))
        file.flush()
        os.fsync(file.fileno())


def read_header(path: Path, kind: str) -> Header:
    """The header of a shard of this kind, without opening its arrays. StoreError says what else the file is."""
    return _header(path, kind)[0]


def verify(path: Path, kind: str) -> Header:
    """Compare a shard with its checksum, once per process and version of the file; StoreError where it differs."""
    return _verify(Path(path), kind)[0]


class Shard:
    """A shard to read: its arrays and texts, each read from disk when asked for. No file need stay open meanwhile."""

    def __init__(self, path: Path, kind: str) -> None:
        """Verify. Raises StoreError where the file is missing, damaged or of another kind."""
        self.path = Path(path)
        self.header, self._key = _verify(self.path, kind)
        self._places = _verified[self._key]

    def __getitem__(self, name: str) -> Array:
        """An array of numbers."""
        try:
            return Array(self._key, self._places[name])
        except KeyError:
            raise StoreError(
                f"{self.path}: has no array {name!r}; made by another version? run its stage again"
            ) from None

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return self.header.rows

    def texts(self, name: str) -> list[str]:
        """A whole array of strings."""
        return self._texts(name, slice(None))

    def text(self, name: str, row: int) -> str:
        """One of an array of strings, counted from 0."""
        return self._texts(name, slice(row, row + 1))[0]

    def _texts(self, name: str, rows: slice) -> list[str]:
        try:
            return [value.decode("utf-8", "surrogatepass") for value in _TEXTS.get(self._key)[name][rows]]
        except _WHATEVER_H5PY_RAISES as error:
            raise StoreError(f"{self.path}: {name!r} cannot be read as text: {error}") from None

    def close(self) -> None:
        """Let go of the file; who reads on opens it again."""
        FILES.let_go(self._key)
        _TEXTS.let_go(self._key)

    def __enter__(self) -> Shard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _verify(path: Path, kind: str) -> tuple[Header, Key]:
    header, line = _header(path, kind)
    try:
        version = version_of(path)
        key = (os.path.abspath(path), version)
        if key not in _verified:
            if version[2] != line.get("bytes") or _checksum(path) != line.get("crc32"):
                raise StoreError(f"{path}: damaged (checksum differs); delete this file and run its stage again")
            _verified[key] = _places(path, header, version)
    except OSError as error:
        raise StoreError(f"{path}: could not be read: {error.strerror or error}") from None
    return header, key


def _texts(values: list[str]) -> np.ndarray:
    encoded = np.empty(len(values), dtype=h5py.string_dtype("utf-8"))
    encoded[:] = [value.encode("utf-8", "surrogatepass") for value in values]
    return encoded


def _header(path: Path, kind: str) -> tuple[Header, dict[str, Any]]:
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise StoreError(f"{path}: expected a file, found a folder, a pipe or a device")
        with Path(path).open("rb") as file:
            block = file.read(HEADER_BYTES)
    except OSError as error:
        raise StoreError(f"{path}: could not be read: {error.strerror or error}") from None
    try:
        line = json.loads(block.split(b"\n", 1)[0])
        kept = str(line["fingerprint"]), dict(line["info"]), int(line["crc32"])
        header = Header(str(line["avterm"]), int(line["rows"]), *kept)
        version = int(line["format"])
        summed = line.pop("header", None)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise StoreError(f"{path}: expected a store of avterm, found another kind of file") from None
    counts = [header.rows, *(header.info[k] for k in ("pairs", "left_out") if k in header.info)]
    good = all(isinstance(n, int) and 0 <= n < 1 << 48 for n in counts)
    if not good or (summed is not None and summed != _header_checksum(line)):  # older shards have no sum of the header
        raise StoreError(f"{path}: damaged (its first line); delete this file and run its stage again")
    if header.kind != kind:
        raise StoreError(f"{path}: expected {kind}, found {header.kind}")
    if version != FORMAT:
        raise StoreError(
            f"{path}: expected store format {FORMAT}, found {version}; use the avterm that made it, or make it again"
        )
    return header, line


def _places(path: Path, header: Header, version: Version) -> dict[str, Place]:
    """Where the arrays of numbers lie in a shard whose checksum is right; StoreError where its layout is not."""
    places: dict[str, Place] = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and (place := place_of(item)) is not None:
            places[name] = place

    try:
        with h5py.File(path, "r") as file:
            wrong = misfit(file, header.kind, header.rows, version[2])
            if wrong is None:
                file.visititems(note)
    except _WHATEVER_H5PY_RAISES as error:
        wrong = f"cannot be read as HDF5 ({error})"
    if wrong is not None:
        raise StoreError(f"{path}: {wrong}; made by another version? run its stage again")
    return places


def _header_checksum(line: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(line, sort_keys=True).encode("ascii"))


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        file.seek(HEADER_BYTES)
        while block := file.read(1 << 22):
            total = zlib.crc32(block, total)
    return total
