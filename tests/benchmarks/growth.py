"""How time and memory of ground, cluster and affinity grow from 1,000 to 32,000 pairs.

Each command runs in a process of its own. Time is what it takes on processors, less what starting takes (a run of 50
pairs): what else a machine does falls less on that than on wall time. The exponent is the slope of log time over log
pairs; memory is flat when the largest corpus takes no more than the middle one. k-means makes the same number of steps
at every size. `AVTERM_BENCH_PAIRS=1000,2000,4000` takes other sizes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from avterm.clustering.affinity import affinity
from avterm.config import resolve
from avterm.store.groundings import Groundings
from tests.benchmarks._child import Used, avterm
from tests.benchmarks.embeddings import fill_run, scratch
from tests.benchmarks.features import fill_features, save_untrained
from tests.benchmarks.rows import Row

SIZES = tuple(int(size) for size in os.environ.get("AVTERM_BENCH_PAIRS", "1000,8000,32000").split(","))
START, PER_PAIR, K, DEPTH, CHANNELS = 50, 5.41, 100, 1024, 64
LIMIT, FLAT = 1.05, 1.1
LEAST = 0.05  # seconds over starting that can be told from it


def rows() -> list[Row]:
    """Exponents of 1.05 at most, and no more memory for more pairs."""
    return [*_command("ground", _ground), *_command("cluster", _cluster), _affinity()]


def _command(name: str, work: Callable[[int], Used]) -> list[Row]:
    start = work(START).processor
    used = [work(size) for size in SIZES]
    seconds = [u.processor - start for u in used]
    if min(seconds) < LEAST:
        raise ValueError(f"{name}: {SIZES[seconds.index(min(seconds))]} pairs take no longer than starting; take more")
    peak, middle = used[-1].peak / 1e6, used[len(used) // 2].peak / 1e6
    return [
        _exponent(name, seconds),
        Row(f"{name}, peak memory in MB, {SIZES[-1]:,} pairs", f"{SIZES[len(used) // 2]:,} pairs", peak, middle,
            peak / middle, FLAT, False),
    ]  # fmt: skip


def _exponent(name: str, seconds: list[float]) -> Row:
    slope = float(np.polyfit(np.log(SIZES), np.log(seconds), 1)[0])
    note = "exponent; " + ", ".join(f"{size:,}: {s:.2f} s" for size, s in zip(SIZES, seconds, strict=True))
    what = f"growth of {name} to {SIZES[-1]:,} pairs"
    return Row(what, f"{SIZES[0]:,} pairs", seconds[-1], seconds[0], slope, LIMIT, False, note)


def _ground(pairs: int) -> Used:
    vision = {"backbone": "efficientnet-lite0", "weights": "random", "output": "grid"}
    config = resolve(None, None, {"vision": vision, "model": {"width": 0.05, "embedding": 64}})
    with scratch() as folder:
        run = fill_features(folder, config, pairs, min(pairs, 500), 150, (7, 7, CHANNELS))
        save_untrained(run, CHANNELS)
        return avterm("ground", str(run.path), "--device", "cpu")


def _cluster(pairs: int) -> Used:
    with scratch() as folder:
        run = fill_run(folder, pairs, int(pairs * PER_PAIR), DEPTH, K)
        steps = ("--set", "clustering.iterations=10", "--set", "clustering.tolerance=0.0")
        return avterm("cluster", str(run.path), "-k", str(K), "--top", "0", *steps)


def _affinity() -> Row:
    seconds = []
    for pairs in SIZES:
        with scratch() as folder:
            fill_run(folder, pairs, int(pairs * PER_PAIR), DEPTH, K)
            seconds.append(_affinity_seconds(folder / "run" / "groundings"))
    return _exponent("affinity", seconds)


def _affinity_seconds(folder: Path) -> float:
    store = Groundings(folder)
    labels = np.random.default_rng(0).integers(0, K, len(store)).astype(np.int32)
    shortest = np.inf
    for _ in range(5):
        begin = time.perf_counter()
        affinity(store.embeddings("image"), store.embeddings("speech"), labels, labels, K, K)
        shortest = min(shortest, time.perf_counter() - begin)
    return float(shortest)
