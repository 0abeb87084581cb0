"""How sure a figure is: percentile intervals by resampling pairs, whose groundings are not independent.

Figures that are ratios of sums, or means of those, are computed for many rounds at once; any other one that weights of
the pairs give (mutual information, a correlation of ranks, a median) is computed round by round. Two kinds have no
interval, as resampling would lie about them: numbers of distinct things (labels, types), of which every resample has
fewer; and what compares captions with each other (grouping, NED), where a caption drawn twice would agree with itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

_AT_A_TIME = 16  # rounds whose weights are held together


class Bootstrap:
    """Figures of resampled pairs, the same ones for all of them."""

    def __init__(self, owners: int, rounds: int = 1000, seed: int = 1, level: float = 0.95) -> None:
        """owners: how many pairs there are; 0 rounds: no intervals."""
        self.owners, self.rounds, self.seed, self.level = owners, rounds, seed, level
        self._ratios: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._means: dict[str, tuple[csr_array, csr_array]] = {}
        self._others: dict[str, Callable[[np.ndarray], float | None]] = {}
        self._inflated: dict[str, float | None] = {}

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

    def other(self, name: str, figure: Callable[[np.ndarray], float | None], inflated: bool = False) -> None:
        """A figure of whatever kind: float64 (owners,), how often each pair was drawn → its value; None: unknown.

        `inflated`: resamples have more of it than the pairs as they are, since fewer different things agree better by
        chance (mutual information); the interval is moved by the difference of the means.
        """
        self._others[name] = figure
        if inflated:
            self._inflated[name] = figure(np.ones(self.owners))

    def median(self, name: str, values: np.ndarray, owner: np.ndarray) -> None:
        """The median of `values` (N,), each of which belongs to `owner` (N,); of an even number the mean of both."""
        order = np.argsort(values, kind="stable")
        ranked, whose = np.asarray(values, np.float64)[order], owner[order]

        def figure(weights: np.ndarray) -> float | None:
            below = np.cumsum(weights[whose])
            if not len(below) or not below[-1]:
                return None
            low, high = np.searchsorted(below, below[-1] / 2), np.searchsorted(below, below[-1] / 2, side="right")
            return float(ranked[low] + ranked[min(high, len(ranked) - 1)]) / 2

        self.other(name, figure)

    def intervals(self) -> dict[str, list[float]]:
        """{name: [low, high]} of every figure that at least one round could tell."""
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in (*self._ratios, *self._means, *self._others)}
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
            for name, figure in self._others.items():
                told = [figure(row) for row in weights]
                drawn[name].append(np.array([np.nan if v is None else v for v in told], np.float64))
        found = {}
        for name, parts in drawn.items():
            values = np.concatenate(parts) if parts else np.empty(0)
            values = values[np.isfinite(values)]
            if len(values):
                low, high = np.quantile(values, [(1 - self.level) / 2, (1 + self.level) / 2])
                if (plain := self._inflated.get(name)) is not None:
                    low, high = low - values.mean() + plain, high - values.mean() + plain
                found[name] = [float(low), float(high)]
        return found


def _mean_where_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)
