"""How far the shared road is from the exact one, measured on pairs of the run itself."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from avterm.corpus.manifest import Pair
from avterm.engine.ahead import ahead
from avterm.errors import Problem
from avterm.grounding.grounder import Grounded, Grounder
from avterm.progress import Progress
from avterm.store.groundings import PairGroundings
from avterm.store.run import Run
from avterm.training.device import choose_device

SAME = 0.5  # IOU from which two segments, or two boxes, count as the same


@dataclass(frozen=True)
class Comparison:
    """The two roads over the same pairs; a figure is None where no pair gave one."""

    pairs: int
    equal_top: float | None  # share of pairs whose best segments overlap with IOU ≥ SAME
    equal_box: float | None  # the same for the boxes that those segments were taken with
    found_again: float | None  # share of the exact road's kept segments with one of the shared road's at IOU ≥ SAME
    rank_correlation: float | None  # Spearman's, over the best score of every segment, mean over pairs
    score_difference: float | None  # mean |exact − shared| of those scores
    score_deviation: float | None  # standard deviation of the exact ones within a pair, mean over pairs, as a measure
    exact_seconds: float  # a pair
    shared_seconds: float


def compare_roads(run: Run, count: int, device: str, progress: Progress) -> Comparison:
    """Ground `count` pairs of the run's grounding splits, evenly spread, on both roads."""
    pairs = run.corpus.split(*run.config.grounding.splits)
    chosen = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int))]
    grounders = {}
    for road in ("exact", "shared"):
        config = dataclasses.replace(run.config.grounding, road=road, borders="grid")
        grounders[road] = Grounder(run, config, choose_device(device))
    both, seconds = [], {"exact": 0.0, "shared": 0.0}
    with progress.step("compare roads", len(chosen)) as step:
        for pair in chosen:
            found = {}
            for road, grounder in grounders.items():
                began = time.perf_counter()
                found[road] = _one(grounder, pair)
                seconds[road] += time.perf_counter() - began
            step.advance()
            exact, shared = found["exact"], found["shared"]
            for result in (exact, shared):
                if isinstance(result, Problem):
                    progress.problem(result)
                    break
            if isinstance(exact, Grounded) and isinstance(shared, Grounded):
                both.append((exact, shared))
    mean = {road: total / max(len(chosen), 1) for road, total in seconds.items()}
    return _figures(both, mean["exact"], mean["shared"])


def _one(grounder: Grounder, pair: Pair) -> Grounded | Problem:
    """As the stage does it: the shared road in a thread that computes alone, the exact one with every core."""
    if grounder.config.road == "exact":
        return grounder.ground([pair])[0]
    return next(found[0] for _, found in ahead(lambda one: grounder.ground([one]), [pair], 1))


def _figures(both: Sequence[tuple[Grounded, Grounded]], exact_seconds: float, shared_seconds: float) -> Comparison:
    tops, boxes, again, ranks, gaps, spreads = [], [], [], [], [], []
    for exact, shared in both:
        gaps.append(float(np.abs(exact.best - shared.best).mean()))
        spreads.append(float(exact.best.std()))
        if min(np.ptp(exact.best), np.ptp(shared.best)) > 0:  # else there is no order to compare
            ranks.append(float(spearmanr(exact.best, shared.best).statistic))
        if not len(exact.found) or not len(shared.found):
            continue
        overlap = _interval_iou(exact.found, shared.found)
        tops.append(float(overlap[0, 0] >= SAME))
        again.append(float((overlap.max(1) >= SAME).mean()))
        boxes.append(float(_box_iou(exact.found.box[0], shared.found.box[0]) >= SAME))
    return Comparison(
        pairs=len(both),
        equal_top=_mean(tops),
        equal_box=_mean(boxes),
        found_again=_mean(again),
        rank_correlation=_mean(ranks),
        score_difference=_mean(gaps),
        score_deviation=_mean(spreads),
        exact_seconds=exact_seconds,
        shared_seconds=shared_seconds,
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _interval_iou(a: PairGroundings, b: PairGroundings) -> np.ndarray:
    """float64 (a, b): overlap of every kept segment of one with every one of the other."""
    one, other = a.segment[:, None].astype(np.float64), b.segment[None].astype(np.float64)
    inner = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    outer = np.maximum(one[..., 1], other[..., 1]) - np.minimum(one[..., 0], other[..., 0])
    return np.maximum(inner, 0) / outer


def _box_iou(a: np.ndarray, b: np.ndarray) -> float:
    inner = np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).prod()
    outer = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner
    return float(inner / outer)
