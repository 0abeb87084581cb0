"""Arrays of numbers in an HDF5 file, read from where they lie in it.

A shard's arrays lie in one piece each and never change, so a slice of one is a stretch of its file. Reading it needs
no HDF5 library: that lets one thread in at a time, takes half a MiB and a quarter of a millisecond for every file that
is opened, and more for every row.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import h5py
import numpy as np

from avterm.errors import StoreError
from avterm.store.opened import Descriptor, Key, Opened

FILES = Opened(Descriptor, Descriptor.fileno, most=64)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies in its file: first byte, shape and type."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype


def place_of(dataset: h5py.Dataset) -> Place | None:
    """The place of an array; None where its bytes do not lie in one piece in this file, or are not as NumPy's."""
    shape, dtype, offset = dataset.shape, dataset.dtype, dataset.id.get_offset()
    if dtype.kind not in "biuf" or not shape or not dataset.id.get_type().equal(h5py.h5t.py_create(dtype)):
        return None
    if offset is None and dataset.size:
        return None
    return Place(int(offset or 0), shape, dtype)


class Array:
    """One array of a shard: `shape`, `dtype`, `len`, rows and slices of rows, which are read when asked for."""

    def __init__(self, key: Key, place: Place) -> None:
        """Nothing is opened yet."""
        self._key, self._offset = key, place.offset
        self.shape, self.dtype = place.shape, place.dtype
        self._row = int(np.prod(place.shape[1:], dtype=np.int64)) * place.dtype.itemsize  # bytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: int | slice) -> np.ndarray:
        """A copy. Raises IndexError, and StoreError where the file was replaced or is gone."""
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                return self[:][key]
            out = np.empty((max(stop - start, 0), *self.shape[1:]), self.dtype)
            self.read_into(start, out)
            return out
        row = range(len(self))[key]
        out = np.empty((1, *self.shape[1:]), self.dtype)
        self.read_into(row, out)
        return out[0]

    def read_into(self, start: int, out: np.ndarray) -> None:
        """Read the rows from `start` on into `out`, as many as it has; contiguous, of the stored dtype and depth."""
        self._read([(start, out)])

    def read_rows(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Read these rows, counted from 0, into `out`, one after the other; as `read_into` otherwise."""
        self._read((row, out[i : i + 1]) for i, row in enumerate(rows.tolist()))

    def _read(self, pieces: Iterable[tuple[int, np.ndarray]]) -> None:
        """Read each piece's rows from its first on."""
        try:
            file = FILES.get(self._key)
            for start, out in pieces:
                if out.nbytes:
                    _fill(file, out.reshape(-1).view(np.uint8).data, self._offset + start * self._row)
        except OSError as error:
            raise StoreError(f"{self._key[0]}: could not be read: {error.strerror or error}") from None
        except EOFError:
            raise StoreError(f"{self._key[0]}: was cut short while it was read; run its stage again") from None


def _fill(file: Descriptor, out: memoryview, offset: int) -> None:
    """Read bytes from `offset` on into `out`. Raises OSError; EOFError where there are too few."""
    done = 0
    while done < len(out):
        count = os.preadv(file.fileno(), [out[done:]], offset + done)  # at most 2 GiB a call
        if not count:
            raise EOFError
        done += count
