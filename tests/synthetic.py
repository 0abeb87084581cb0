"""A complete run with made-up groundings and clusters, for tests of what reads stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from avterm.config import Config, resolve
from avterm.corpus.manifest import Corpus, Pair
from avterm.store.clusters import clusters_path, write_clusters
from avterm.store.groundings import shard_path, write_groundings
from avterm.store.run import Run

WORDS = ("lighthouse", "castle", "boat", "train", "tree", "dog")


def make_run(
    folder: Path,
    pairs: int = 12,
    k: int = 6,
    dimensions: int = 16,
    per_pair: int = 4,
    media: bool = True,
    seed: int = 0,
) -> Run:
    """A run of `pairs` pairs (pictures and 3 s sounds on disk if `media`), `per_pair` groundings each, in two shards,
    clustered with `k`. Grounding g of a pair belongs to cluster `word index`, so clusters are pure; words.jsonl and
    boxes.jsonl agree with the groundings."""
    rng = np.random.default_rng(seed)
    source = folder / "corpus"
    source.mkdir(parents=True)
    listed = []
    for i in range(pairs):
        if media:
            Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(source / f"{i}.png")
            soundfile.write(source / f"{i}.flac", rng.normal(0, 0.05, 48_000), 16_000)
        split = "val" if i % 4 == 3 else "train"
        text = " ".join(_word(i, g, k) for g in range(per_pair))
        listed.append(Pair(f"pair {i}", f"{i}.png", f"{i}.flac", split, f"speaker{i % 3}", "en", text))
    corpus = Corpus(source / "corpus.jsonl", listed)
    corpus.save()
    run = Run.create(folder / "run", corpus.path, resolve("modern" if "modern" in _presets() else None))
    _write_words(corpus, per_pair, k)
    centroids = {m: rng.normal(size=(k, dimensions)).astype(np.float32) * 3 for m in ("speech", "image")}
    _ground(run, corpus, per_pair, k, centroids, rng)
    _cluster(run, k, centroids)
    return run


def _presets() -> list[str]:
    from avterm.config import presets

    return presets()


def _word_index(pair: int, grounding: int, k: int) -> int:
    return (pair + grounding) % min(k, len(WORDS))


def _word(pair: int, grounding: int, k: int) -> str:
    return WORDS[_word_index(pair, grounding, k)]


def _write_words(corpus: Corpus, per_pair: int, k: int) -> None:
    import json

    words, boxes = [], []
    for i, pair in enumerate(corpus):
        spoken = [{"word": _word(i, g, k), "start": 0.1 + 0.7 * g, "end": 0.6 + 0.7 * g} for g in range(per_pair)]
        words.append(json.dumps({"id": pair.id, "words": spoken}))
        drawn = [{"word": _word(i, g, k), "box": [16.0 * g, 6.0, 16.0 * g + 24, 36.0]} for g in range(per_pair)]
        boxes.append(json.dumps({"id": pair.id, "boxes": drawn}))
    corpus.words_path.write_text("\n".join(words) + "\n")
    corpus.boxes_path.write_text("\n".join(boxes) + "\n")


def _ground(run: Run, corpus: Corpus, per_pair: int, k: int, centroids: dict, rng: np.random.Generator) -> None:
    half = (len(corpus) + 1) // 2
    for number, block in enumerate((range(half), range(half, len(corpus)))):
        rows = [(i, g) for i in block for g in range(per_pair)]
        cluster = np.array([_word_index(i, g, k) for i, g in rows], dtype=np.int64)
        noise = rng.normal(0, 0.1, (2, len(rows), next(iter(centroids.values())).shape[1]))
        speech = (centroids["speech"][cluster] + noise[0]).astype(np.float16)
        image = (centroids["image"][cluster] + noise[1]).astype(np.float16)
        g = np.array([g for _, g in rows], dtype=np.int64)
        write_groundings(
            shard_path(run.path / "groundings", number),
            "synthetic",
            {
                "id": [corpus.pairs[i].id for i in block],
                "offset": np.arange(len(block) + 1, dtype=np.int64) * per_pair,
                "size": np.tile(np.array([[80, 60]], np.int32), (len(block), 1)),
                "frames": np.full(len(block), 300, np.int32),
                "box": np.stack([0.2 * g, 0.1 + 0 * g, 0.2 * g + 0.3, 0.6 + 0 * g], axis=1).astype(np.float32),
                "segment": np.stack([10 + 70 * g, 60 + 70 * g], axis=1).astype(np.int32),
                "score": (10.0 - g).astype(np.float32),
                "silence": np.zeros(len(rows), np.float32),
                "speech_embedding": speech,
                "image_embedding": image,
            },
            [],
        )
    run.finish("ground", "synthetic", {"pairs": len(corpus), "groundings": len(corpus) * per_pair})


def _cluster(run: Run, k: int, centroids: dict) -> None:
    arrays: dict[str, np.ndarray] = {}
    values = {m: run.groundings.embeddings(m)[:].astype(np.float64) for m in centroids}
    labels = {}
    for name, centre in centroids.items():
        gaps = ((values[name][:, None] - centre[None]) ** 2).sum(-1)
        labels[name] = gaps.argmin(1).astype(np.int32)
        distance = gaps.min(1).astype(np.float32)
        size = np.bincount(labels[name], minlength=k)
        with np.errstate(invalid="ignore"):
            variance = np.bincount(labels[name], distance, k) / size
        arrays |= {
            f"{name}/centroid": centre,
            f"{name}/assignment": labels[name],
            f"{name}/distance": distance,
            f"{name}/size": size.astype(np.int64),
            f"{name}/variance": variance,
            f"{name}/order": np.lexsort((distance, labels[name])).astype(np.int64),
            f"{name}/offset": np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        }
    affinity = np.zeros((k, k))
    scores = (values["speech"] * values["image"]).sum(1)
    np.add.at(affinity, (labels["image"], labels["speech"]), scores)
    arrays["affinity"] = affinity
    write_clusters(clusters_path(run.path / "clusters", k), "synthetic", arrays, {"k": k})
    run.finish("cluster", "synthetic", {"k": k, "groundings": len(scores)})


def config() -> Config:
    """The paper's configuration."""
    return resolve("paper")
