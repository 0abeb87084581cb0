"""How far the shared road is from the exact one, measured on pairs of the run itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from avterm.grounding.stage import Grounded, Grounder
from avterm.progress import Progress
from avterm.store.run import Run
from avterm.training.device import choose_device


def compare_roads(run: Run, count: int, device: str, progress: Progress) -> dict[str, Any]:
    """Ground `count` pairs, evenly spread, on both roads.

    Returns pairs; equal_top: share of pairs whose top segments overlap with IOU ≥ 0.5; equal_box: the same for the
    top boxes; rank_correlation: Spearman's over the best score of every segment, averaged over pairs.
    """
    pairs = run.corpus.split(*run.config.grounding.splits)
    chosen = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int))]
    roads = {}
    for road in ("exact", "shared"):
        config = dataclasses.replace(run.config.grounding, road=road, borders="grid")
        roads[road] = Grounder(run, config, choose_device(device))
    tops, boxes, correlations = [], [], []
    with progress.step("compare roads", len(chosen)) as step:
        for pair in chosen:
            exact, shared = roads["exact"].ground(pair), roads["shared"].ground(pair)
            step.advance()
            if not isinstance(exact, Grounded) or not isinstance(shared, Grounded):
                continue
            if not len(exact.found) or not len(shared.found):
                continue
            tops.append(_interval_iou(exact.found.segment[0], shared.found.segment[0]) >= 0.5)
            boxes.append(_box_iou(exact.found.box[0], shared.found.box[0]) >= 0.5)
            if len(exact.best) > 2:
                correlations.append(float(spearmanr(exact.best, shared.best).statistic))
    return {
        "pairs": len(tops),
        "equal_top": float(np.mean(tops)) if tops else float("nan"),
        "equal_box": float(np.mean(boxes)) if boxes else float("nan"),
        "rank_correlation": float(np.nanmean(correlations)) if correlations else float("nan"),
    }


def _interval_iou(a: np.ndarray, b: np.ndarray) -> float:
    inner = min(a[1], b[1]) - max(a[0], b[0])
    return max(0.0, float(inner)) / float(max(a[1], b[1]) - min(a[0], b[0]))


def _box_iou(a: np.ndarray, b: np.ndarray) -> float:
    inner = np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).prod()
    outer = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner
    return float(inner / outer)
