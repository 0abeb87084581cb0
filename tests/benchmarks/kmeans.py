"""k-means, 200,000 x 1,024, k = 500, 20 iterations from the same start, against faiss-cpu and scikit-learn.

`AVTERM_BENCH_KMEANS=50000` takes fewer rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from avterm.clustering.kmeans import kmeans
from tests.benchmarks.embeddings import Maker
from tests.benchmarks.rows import Row

COUNT = int(os.environ.get("AVTERM_BENCH_KMEANS", "200000"))
DEPTH, K, ITERATIONS, ROUNDS = 1024, 500, 20, 2


def rows() -> list[Row]:
    """No slower than the faster of them, and an inertia within 0.1% of theirs."""
    maker = Maker(DEPTH)
    data = np.concatenate([maker.draw(min(10_000, COUNT - i))[0] for i in range(0, COUNT, 10_000)])
    start = data[:K].copy()
    kmeans(data[:5000], K, 2, start=start)  # compiles
    contenders: dict[str, Callable[[], float]] = {
        "ours": lambda: kmeans(data, K, ITERATIONS, 0.0, start=start).inertia,
        "scikit-learn, lloyd": lambda: by_scikit_learn(data, start, "lloyd"),
        "faiss": lambda: by_faiss(data, start),
    }
    seconds, processor, inertia = dict.fromkeys(contenders, np.inf), dict.fromkeys(contenders, np.inf), {}
    for _ in range(ROUNDS):  # in turns, so that whatever else the machine does falls on all
        for name, work in contenders.items():
            begin, used = time.perf_counter(), time.process_time()
            inertia[name] = work()
            seconds[name] = min(seconds[name], time.perf_counter() - begin)
            processor[name] = min(processor[name], time.process_time() - used)
    others = [name for name in contenders if name != "ours"]
    faster = min(others, key=seconds.__getitem__)
    off = max(abs(inertia["ours"] / inertia[name] - 1) for name in others)
    what = f"k-means, {COUNT:,} x {DEPTH:,}, k = {K}, {ITERATIONS} iterations"
    note = "on processors " + ", ".join(f"{name} {processor[name]:.1f} s" for name in contenders)
    ratio = seconds[faster] / seconds["ours"]
    return [
        Row(what, faster, seconds["ours"], seconds[faster], ratio, 1.0, True, note),
        Row("its inertia", "the furthest of theirs", inertia["ours"], inertia[faster], off, 1e-3, False),
    ]


def by_scikit_learn(data: np.ndarray, start: np.ndarray, algorithm: str) -> float:
    """Inertia after as many of its iterations and a last assignment, which it makes by itself."""
    from sklearn.cluster import KMeans

    model = KMeans(K, init=start, n_init=1, max_iter=ITERATIONS, tol=0, algorithm=algorithm, copy_x=False)
    return float(model.fit(data).inertia_)


def by_faiss(data: np.ndarray, start: np.ndarray) -> float:
    """The same of faiss, the last assignment included."""
    import faiss

    model = faiss.Kmeans(DEPTH, K, niter=ITERATIONS, max_points_per_centroid=len(data), min_points_per_centroid=1)
    model.train(data, init_centroids=start)
    return float(model.index.search(data, 1)[0].sum(dtype=np.float64))
