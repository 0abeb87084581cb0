"""Edit distances of many pairs of sequences at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_AT_A_TIME = 1 << 16  # pairs whose tables are held together


class Spellings:
    """Distinct sequences of symbols, numbered in the order given, padded for `normalised_distances`."""

    def __init__(self, sequences: Sequence[Sequence[str]]) -> None:
        """Symbols are compared as they are; sequences may be empty."""
        number: dict[str, int] = {}
        self.length = np.array([len(s) for s in sequences], np.int64)
        self.symbols = np.full((len(sequences), int(self.length.max(initial=0))), -1, np.int32)
        for row, sequence in enumerate(sequences):
            self.symbols[row, : len(sequence)] = [number.setdefault(s, len(number)) for s in sequence]


def normalised_distances(spellings: Spellings, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Levenshtein distance ÷ length of the longer, float64 (N,), of the pairs of numbers first, second int (N,).

    Two empty sequences are at distance 1, as tdev2 has it: they have no symbol in common.
    """
    parts = [
        _distances(spellings, first[start : start + _AT_A_TIME], second[start : start + _AT_A_TIME])
        for start in range(0, len(first), _AT_A_TIME)
    ]
    edits = np.concatenate(parts) if parts else np.empty(0, np.int32)
    longer = np.maximum(spellings.length[first], spellings.length[second])
    return np.where(longer > 0, edits / np.maximum(longer, 1), 1.0)


def _distances(spellings: Spellings, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """int32 (N,): one table of edits a pair, filled row by row for all pairs together."""
    a, b = spellings.symbols[first].T, spellings.symbols[second].T
    rows, columns = spellings.length[first], spellings.length[second]
    each = np.arange(len(first))
    above = np.repeat(np.arange(len(b) + 1, dtype=np.int32)[:, None], len(first), axis=1)
    found = above[columns, each]
    for i in range(int(rows.max(initial=0))):
        here = np.empty_like(above)
        here[0] = i + 1
        changed = above[:-1] + (a[i] != b)
        for j in range(len(b)):
            here[j + 1] = np.minimum(np.minimum(above[j + 1], here[j]) + 1, changed[j])
        above = here
        ends = rows == i + 1
        found[ends] = above[columns[ends], each[ends]]
    return found
