"""`python -m tests.robust.memory make|STAGE SCALE FOLDER`: a stage on SCALE times the data, and what it took at most.

The peak is VmHWM, the most that was resident at any time, imports and all. Made is at scale 1: 64 captions of 20 s
with a picture each, and 20,000 embeddings of 64 numbers a modality, as many as clustering chooses its start on. At
scale 20 an implementation that held a corpus's log-mel frames (205 MB), its groundings (105 MB) or its embeddings as
float32 (205 MB) would exceed scale 1 by far more than the 10% that `test_memory` allows.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np

PAIRS, SECONDS, ROWS, DEPTH, CLUSTERS = 64, 20, 20_000, 64, 32
STAGES = ("features", "ground", "cluster")
SHARD = 32  # pairs, in place of 1,000, so that scale 1 has whole shards too
SHARDS = 64  # of groundings, as many as stay open at a time; 1,280 at scale 20
KEPT = 1 << 20  # bytes of embeddings that clustering keeps, in place of 128 MiB, for the same reason
SETTINGS = {
    "vision": {"backbone": "efficientnet-lite0", "weights": "random", "pixels": 96, "output": "grid"},
    "speech": {"vad": "energy"},
    "model": {"speech_branch": "modern", "width": 1 / 32, "embedding": 1024, "batch_norm": True, "similarity": "misa"},
    "grounding": {"pairs_per_shard": SHARD, "grid": 4, "min_relative": 0.0, "max_overlap": 0.9, "dtype": "float32",
                  "max_silence": 1.1, "borders": "grid", "segment_step": 50},
}  # fmt: skip


def make(folder: Path, scale: int) -> None:
    """The corpus as links to eight files of each kind; a run; features, a model and groundings of noise."""
    import soundfile
    from PIL import Image

    from avterm.config import resolve
    from avterm.corpus.manifest import Corpus, Pair
    from avterm.model.checkpoint import save_model
    from avterm.model.pair import PairModel
    from avterm.store.run import Run

    rng = np.random.default_rng(0)
    source = folder / "corpus"
    source.mkdir(parents=True)
    for i in range(8):
        Image.fromarray(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.05, 16_000 * SECONDS), 16_000)
    pairs = [Pair(f"pair{i:06d}", f"{i}.png", f"{i}.wav") for i in range(PAIRS * scale)]
    for i in range(len(pairs)):
        os.link(folder / f"{i % 8}.png", source / f"{i}.png")
        os.link(folder / f"{i % 8}.wav", source / f"{i}.wav")
    corpus = Corpus(source / "corpus.jsonl", pairs)
    corpus.save()
    config = resolve(overrides=SETTINGS)
    for name in STAGES:
        Run.create(folder / name, corpus.path, config)
    model = PairModel(config.model, 1280, config.speech.mels).eval()
    save_model(folder / "ground" / "checkpoints" / "best.safetensors", model, config)
    _features(Run.open(folder / "ground"), rng)
    _groundings(Run.open(folder / "cluster"), ROWS * scale, rng)


def _features(run, rng) -> None:  # type: ignore[no-untyped-def]
    from avterm.store.features import IMAGES, SPEECH, shard_path, write_features

    frames = SECONDS * 100
    mels = rng.normal(0, 1, (SHARD * frames, 40)).astype(np.float16)
    maps = rng.normal(0, 1, (SHARD, 3, 3, 1280)).astype(np.float16)
    for number in range(len(run.corpus) // SHARD):
        block = run.corpus.pairs[number * SHARD : (number + 1) * SHARD]
        speech = {"id": [p.id for p in block], "offset": np.arange(SHARD + 1, dtype=np.int64) * frames, "mel": mels,
                  "active": np.ones(SHARD * frames, np.uint8)}  # fmt: skip
        write_features(shard_path(run.features_path, SPEECH, number), SPEECH, "x", speech, [])
        images = {"image": [p.image for p in block], "size": np.full((SHARD, 2), 96, np.int32), "backbone": maps}
        write_features(shard_path(run.features_path, IMAGES, number), IMAGES, "y", images, [])


def _groundings(run, rows: int, rng) -> None:  # type: ignore[no-untyped-def]
    from avterm.store.groundings import shard_path, write_groundings

    centres = rng.normal(0, 2, (CLUSTERS, DEPTH))
    each = ROWS // SHARDS
    for number in range(rows // each):
        speech, image = (centres[rng.integers(0, CLUSTERS, each)] + rng.normal(0, 1, (each, DEPTH)) for _ in range(2))
        arrays = {
            "id": [f"{number}-{i}" for i in range(each)], "offset": np.arange(each + 1, dtype=np.int64),
            "size": np.full((each, 2), 96, np.int32), "frames": np.full(each, 100, np.int32),
            "box": np.tile(np.float32([0, 0, 1, 1]), (each, 1)), "segment": np.tile(np.int32([0, 50]), (each, 1)),
            "score": np.ones(each, np.float32), "silence": np.zeros(each, np.float32),
            "speech_embedding": speech.astype(np.float16), "image_embedding": image.astype(np.float16),
        }  # fmt: skip
        write_groundings(shard_path(run.path / "groundings", number), "x", arrays, [])


def stage(name: str, folder: Path) -> None:
    """Run one stage in this process."""
    from avterm.progress import Silent
    from avterm.store import features as store
    from avterm.store.run import Run

    store.PER_SHARD = SHARD
    run, progress = Run.open(folder / name), Silent()
    if name == "features":
        from avterm.engine.features import compute_features

        speech, vision = run.config.speech, run.config.vision
        found = compute_features(run.corpus, run.features_path, speech, vision, progress, device="cpu")
        if found.pairs != len(run.corpus):
            raise SystemExit(f"features of {found.pairs} pairs only")
    elif name == "ground":
        from avterm.grounding.stage import ground

        summary = ground(run, progress, device="cpu")
        if summary.groundings < 5 * len(run.corpus):
            raise SystemExit(f"{summary.groundings} groundings only")
    else:
        from avterm.clustering import source
        from avterm.clustering.stage import cluster

        source.IN_MEMORY = KEPT
        config = dataclasses.replace(run.config.clustering, k=CLUSTERS, iterations=4)
        cluster(run, config, progress)


def main() -> None:
    """Make the data, or run a stage and print its peak."""
    what, scale, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if what == "make":
        make(folder, scale)
        return
    stage(what, folder)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps({"stage": what, "scale": scale, "peak_mib": round(peak / 1024, 1)}))


if __name__ == "__main__":
    main()
