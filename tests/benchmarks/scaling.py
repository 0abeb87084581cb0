"""How features and grounding gain from a second core: python -m tests.benchmarks.scaling RUN [PAIRS]

RUN is a trained run; it is only read. Each row is a process of its own, held to so many cores.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import avterm.store.features as layout
from avterm.corpus.manifest import Corpus
from avterm.engine.features import compute_features
from avterm.engine.local import Processes
from avterm.engine.mapping import HERE
from avterm.grounding.stage import ground
from avterm.progress import Silent
from avterm.store.run import Run

SHARDS = 12  # so that two workers end at about the same time
ROWS = (("threads", 1, 0), ("threads", 2, 0), ("local", 1, 1), ("local", 2, 1), ("local", 2, 2))


def main(path: Path, pairs: int) -> None:
    """Print a row a way of working: name, cores, workers, and seconds and CPU seconds of features and of ground."""
    print(f"{'engine':8} cores workers  features s (CPU)   ground s (CPU)")
    context = multiprocessing.get_context("spawn")
    for name, cores, workers in ROWS:
        queue = context.SimpleQueue()
        process = context.Process(target=_measure, args=(path, pairs, cores, workers, queue))
        process.start()
        values = queue.get()
        process.join()
        cells = "   ".join(f"{seconds:7.1f} ({spent:6.1f})" for seconds, spent in values)
        print(f"{name:8} {cores:5} {workers or '-':>7}  {cells}", flush=True)


def _measure(path: Path, pairs: int, cores: int, workers: int, queue) -> None:  # type: ignore[no-untyped-def]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = Run.open(path)
        some = [pair for pair in old.corpus if pair.split in old.config.grounding.splits][:pairs]
        place = old.corpus.path.resolve().parent
        Corpus(
            folder / "corpus.jsonl",
            [replace(pair, image=str(place / pair.image), speech=str(place / pair.speech)) for pair in some],
        ).save()
        size = -(-len(some) // SHARDS)
        layout.PER_SHARD = size
        config = replace(old.config, grounding=replace(old.config.grounding, pairs_per_shard=size))
        run = Run.create(folder / "run", folder / "corpus.jsonl", config)
        shutil.copytree(old.path / "checkpoints", run.path / "checkpoints")
        engine = Processes(workers) if workers else HERE
        speech, vision = config.speech, config.vision
        stages = (
            lambda: compute_features(run.corpus, run.features_path, speech, vision, Silent(), engine=engine),
            lambda: ground(run, Silent(), engine=engine),
        )
        found = []
        for stage in stages:
            began, spent = time.perf_counter(), _spent()
            stage()
            if isinstance(engine, Processes):
                engine.close()  # so that the workers' time counts; the next stage starts them again
            found.append((time.perf_counter() - began, _spent() - spent))
        queue.put(found)


def _spent() -> float:
    """CPU seconds of this process and of those that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 600)
