"""How sure a figure is: percentile intervals by resampling pairs, whose groundings are not independent."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

_AT_A_TIME = 16  # rounds whose weights are held together


class Bootstrap:
    """Figures that are ratios of sums over pairs, and the same resampled pairs for all of them."""

    def __init__(self, owners: int, rounds: int = 1000, seed: int = 1, level: float = 0.95) -> None:
        """owners: how many pairs there are; 0 rounds: no intervals."""
        self.owners, self.rounds, self.seed, self.level = owners, rounds, seed, level
        self._ratios: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._means: dict[str, tuple[csr_array, csr_array]] = {}

    def ratio(self, name: str, above: np.ndarray, below: np.ndarray) -> None:
        """A figure Σ above ÷ Σ below; both (owners,)."""
        self._ratios[name] = (np.asarray(above, np.float64), np.asarray(below, np.float64))

    def mean(self, name: str, values: np.ndarray, owner: np.ndarray) -> None:
        """The mean of `values` (N,), each of which belongs to `owner` (N,)."""
        above = np.bincount(owner, np.asarray(values, np.float64), self.owners)
        self.ratio(name, above, np.bincount(owner, minlength=self.owners))

    def mean_ratio(self, name: str, above: csr_array, below: csr_array) -> None:
        """The mean over groups of Σ above ÷ Σ below; both (owners, groups). Groups that a round lacks do not count."""
        self._means[name] = (above, below)

    def intervals(self) -> dict[str, list[float]]:
        """{name: [low, high]} of every figure that at least one round could tell."""
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in (*self._ratios, *self._means)}
        random = np.random.default_rng(self.seed)
        for start in range(0, self.rounds if self.owners else 0, _AT_A_TIME):
            weights = np.stack(
                [
                    np.bincount(random.integers(0, self.owners, self.owners), minlength=self.owners).astype(np.float64)
                    for _ in range(min(_AT_A_TIME, self.rounds - start))
                ]
            )
            with np.errstate(invalid="ignore", divide="ignore"):
                for name, (above, below) in self._ratios.items():
                    drawn[name].append((weights @ above) / (weights @ below))
                for name, (many, all_) in self._means.items():
                    drawn[name].append(_mean_where_known((weights @ many) / (weights @ all_)))
        found = {}
        for name, parts in drawn.items():
            values = np.concatenate(parts) if parts else np.empty(0)
            values = values[np.isfinite(values)]
            if len(values):
                low, high = np.quantile(values, [(1 - self.level) / 2, (1 + self.level) / 2])
                found[name] = [float(low), float(high)]
        return found


def _mean_where_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)
