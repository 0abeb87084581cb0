"""Affinity over the paper's 1,161,305 groundings in HDF5, against merely reading the two embedding sets.

`AVTERM_BENCH_GROUNDINGS=100000` takes fewer.
"""

from __future__ import annotations

import os
import time

import numpy as np

from avterm.clustering.affinity import STRIP, affinity
from avterm.store.groundings import MODALITIES, Groundings
from avterm.store.stacked import Stacked
from tests.benchmarks.embeddings import fill_run, scratch
from tests.benchmarks.rows import Row

PAIRS, GROUNDINGS, DEPTH, K = 214_585, 1_161_305, 1024, 500
COUNT = int(os.environ.get("AVTERM_BENCH_GROUNDINGS", str(GROUNDINGS)))
ROUNDS = 3


def rows() -> list[Row]:
    """At most 1.3 times as long, and equal to the double loop where that can be afforded."""
    with scratch() as folder:
        fill_run(folder, max(COUNT * PAIRS // GROUNDINGS, 1), COUNT, DEPTH, K)
        return [measure(Groundings(folder / "run" / "groundings"))]


def measure(store: Groundings) -> Row:
    """Both over the same open store, in turns."""
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, K, len(store)).astype(np.int32) for _ in MODALITIES]
    image, speech = store.embeddings("image"), store.embeddings("speech")
    off = _off(image[:2000], speech[:2000], labels[0][:2000], labels[1][:2000])
    reading = ours = np.inf
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        read(image, speech)
        reading = min(reading, time.perf_counter() - begin)
        begin = time.perf_counter()
        affinity(image, speech, labels[0], labels[1], K, K)
        ours = min(ours, time.perf_counter() - begin)
    size = 2 * len(store) * DEPTH * 2
    note = f"{size / reading / 1e9:.2f} GB/s read; off the double loop by {off:.1e} of the largest"
    return Row(f"affinity, {len(store):,} groundings", "reading them", ours, reading, ours / reading, 1.3, False, note)


def read(*sides: Stacked) -> None:
    """Everything once, block by block into the same memory: the fastest way that HDF5 has."""
    memory = [np.empty((STRIP, DEPTH), side.dtype) for side in sides]
    for first in range(0, len(sides[0]), STRIP):
        many = min(STRIP, len(sides[0]) - first)
        for side, block in zip(sides, memory, strict=True):
            side.read_into(first, block[:many])


def _off(image: np.ndarray, speech: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    expected = np.zeros((K, K))
    for n in range(len(a)):
        expected[a[n], b[n]] += image[n].astype(np.float64) @ speech[n].astype(np.float64)
    off = float(np.abs(affinity(image, speech, a, b, K, K) - expected).max() / np.abs(expected).max())
    if off > 1e-5:
        raise ValueError(f"affinity differs from the double loop by {off} of its largest value")
    return off
