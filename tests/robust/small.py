"""A corpus so small that every stage takes a moment, made of noise; and the settings that keep it so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from avterm.corpus.manifest import Corpus, Pair

SETTINGS = """
[speech]
vad = "energy"
[vision]
backbone = "efficientnet-lite0"
weights = "random"
pixels = 64
output = "grid"
[model]
speech_branch = "modern"
width = 0.03125
batch_norm = true
dropout = 0.1
embedding = 16
similarity = "misa"
normalise_image = true
[training]
loss = "contrastive"
margin = 0.0
batch = 4
epochs = 3
optimiser = "adamw"
learning_rate = 1e-3
average = 0.9
frames = 200
[grounding]
pairs_per_shard = 4
grid = 4
min_relative = 0.0
max_silence = 1.1
[clustering]
iterations = 6
"""
PAIRS = 16
CLUSTERS = 4


def make_corpus(folder: Path, pairs: int = PAIRS, seconds: float = 1.2, seed: int = 0) -> Corpus:
    """`pairs` captions of noise with a picture of noise each; every fourth validates; word times and boxes beside."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    listed = []
    for i in range(pairs):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        sound = rng.normal(0, 0.05, int(16_000 * (seconds + 0.05 * (i % 4))))
        soundfile.write(folder / f"{i}.wav", sound, 16_000)
        split = "val" if i % 4 == 3 else "train"
        listed.append(Pair(f"pair {i}", f"{i}.png", f"{i}.wav", split, f"speaker{i % 3}", "en", "a b"))
    corpus = Corpus(folder / "corpus.jsonl", listed)
    corpus.save()
    times = [{"word": "a", "start": 0.0, "end": 0.5}, {"word": "b", "start": 0.5, "end": 1.0}]
    lines = [json.dumps({"id": pair.id, "words": times}) for pair in listed]
    corpus.words_path.write_text("\n".join(lines) + "\n")
    boxes = [{"word": "a", "box": [0, 0, 20, 20]}, {"word": "b", "box": [20, 20, 60, 40]}]
    lines = [json.dumps({"id": pair.id, "boxes": boxes}) for pair in listed]
    corpus.boxes_path.write_text("\n".join(lines) + "\n")
    (folder / "settings.toml").write_text(SETTINGS)
    return corpus


def decisions(count: int = 12) -> str:
    """A file of decisions as `avterm curate export` writes them, with ids and times of their own."""
    lines = []
    for i in range(count):
        edit = {"kind": "name", "cluster": i % CLUSTERS, "k": CLUSTERS, "value": f"name {i} ü", "uid": f"uid{i}"}
        lines.append(json.dumps({**edit, "modality": "speech", "time": 1.0 + i}, ensure_ascii=False))
    return "\n".join(lines) + "\n"
