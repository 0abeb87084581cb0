"""`avterm cluster` at the paper's full size: 1,161,305 groundings x 1,024, both modalities, k = 500.

The stores take 5 GB of disk. `AVTERM_BENCH_GROUNDINGS=100000` takes fewer groundings, to try.
"""

from __future__ import annotations

from tests.benchmarks._child import avterm
from tests.benchmarks.affinity import COUNT, DEPTH, GROUNDINGS, PAIRS, K
from tests.benchmarks.embeddings import fill_run, scratch
from tests.benchmarks.rows import Row

MINUTES, GIGABYTES = 15, 2


def rows() -> list[Row]:
    """Fifteen minutes and 2 GB at most, for the whole command in a process of its own."""
    with scratch() as folder:
        run = fill_run(folder, max(COUNT * PAIRS // GROUNDINGS, 1), COUNT, DEPTH, K)
        used = avterm("cluster", str(run.path), "-k", str(K), "--top", "0")
        inertia = run.clusters(K).info
    limit = MINUTES * 60.0
    note = (
        f"{used.processor:.0f} s on processors; inertia {inertia['speech_inertia']:.0f} speech, "
        f"{inertia['image_inertia']:.0f} pictures"
    )
    return [
        Row(f"cluster, {COUNT:,} groundings, k = {K}", f"{MINUTES} minutes", used.seconds, limit,
            used.seconds / limit, 1.0, False, note),
        Row("its peak memory, bytes", f"{GIGABYTES} GB", used.peak, GIGABYTES * 1e9,
            used.peak / (GIGABYTES * 1e9), 1.0, False),
    ]  # fmt: skip
