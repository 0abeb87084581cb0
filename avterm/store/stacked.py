"""Many shards' arrays seen as one, read from disk only where they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from avterm.store.arrays import Array


class Stacked:
    """Rows of several arrays, one after the other: `len`, `shape`, `dtype`, slices, index arrays, `blocks`.

    Reads copy; nothing is kept in memory. An index array comes back in the order asked for.
    """

    def __init__(self, arrays: Sequence[Array]) -> None:
        """`arrays` share dtype and all dimensions but the first."""
        self._arrays = list(arrays)
        self.offsets = np.concatenate([[0], np.cumsum([len(array) for array in self._arrays])]).astype(np.int64)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of one array."""
        tail = self._arrays[0].shape[1:] if self._arrays else ()
        return (int(self.offsets[-1]), *tail)

    @property
    def dtype(self) -> np.dtype:
        """As stored."""
        return self._arrays[0].dtype if self._arrays else np.dtype(np.float32)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def __getitem__(self, key: int | slice | np.ndarray | Sequence[int]) -> np.ndarray:
        if isinstance(key, int | np.integer):
            row = int(key) + (len(self) if key < 0 else 0)
            return self[row : row + 1][0]
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self._read(start, max(start, stop))
            key = np.arange(start, stop, step)
        return self._gather(np.asarray(key))

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        values = self[:]
        return values if dtype is None else values.astype(dtype)

    def blocks(self, rows: int = 16_384) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, block) over everything, in order, `rows` at most at a time, never across two shards."""
        for array, offset in zip(self._arrays, self.offsets[:-1], strict=True):
            for start in range(0, len(array), rows):
                yield int(offset) + start, array[start : start + rows]

    def read_into(self, start: int, out: np.ndarray) -> None:
        """Read the rows from `start` on into `out`, as many as it has; contiguous, of the stored dtype and depth."""
        stop = start + len(out)
        for shard in range(int(np.searchsorted(self.offsets, start, side="right")) - 1, len(self._arrays)):
            begin, end = (int(v) for v in self.offsets[shard : shard + 2])
            low, high = max(start, begin), min(stop, end)
            if begin >= stop:
                break
            if low < high:
                self._arrays[shard].read_into(low - begin, out[low - start : high - start])

    def _read(self, start: int, stop: int) -> np.ndarray:
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self.read_into(start, out)
        return out

    def _gather(self, rows: np.ndarray) -> np.ndarray:
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        rows = np.where(rows < 0, rows + len(self), rows).astype(np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"row out of range of {len(self)}")
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        shard_of = np.searchsorted(self.offsets, rows, side="right") - 1
        for shard in np.unique(shard_of):
            mine = np.flatnonzero(shard_of == shard)
            unique, back = np.unique(rows[mine] - self.offsets[shard], return_inverse=True)
            array = self._arrays[shard]
            span = int(unique[-1] - unique[0]) + 1
            if span <= 4 * len(unique):  # one read of a dense stretch is faster
                values = array[int(unique[0]) : int(unique[0]) + span][unique - unique[0]]
            else:
                values = np.empty((len(unique), *self.shape[1:]), self.dtype)
                array.read_rows(unique, values)
            out[mine] = values[back]
        return out
