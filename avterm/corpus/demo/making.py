"""Make the demo corpus. A pair depends on the seed and its own number alone, so any number of jobs makes the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avterm.corpus.demo.grammar import describe
from avterm.corpus.demo.rules import voices
from avterm.corpus.demo.scenes import draw_scene
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.parallel import spread
from avterm.corpus.recording import record, write_flac
from avterm.errors import UsageError
from avterm.progress import Progress, Silent
from avterm.store.atomic import replacing, write_text

PAIRS = 1500
VALIDATION = 200 / 1500  # of the pairs; they are the last ones
_BLOCK = 25  # pairs that a process makes before it reports
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class _Block:
    folder: Path
    seed: int
    pairs: int
    numbers: range


def make_demo(
    folder: Path, pairs: int = PAIRS, seed: int = 1, jobs: int = 1, progress: Progress | None = None
) -> Corpus:
    """Draw and speak `pairs` pairs into `folder`: images/, speech/, corpus.jsonl, words.jsonl and boxes.jsonl.

    Every picture shows two to four of `rules.nouns()`. The words of a caption carry the synthesiser's times (seconds);
    every thing in the picture, spoken of or not, has its true box (pixels: x0, y0, x1, y1). The last 200 of 1,500 pairs
    are the validation split. The same seed gives the same bytes, whatever `jobs`. The manifest is written last.
    """
    if pairs < 1 or seed < 0 or jobs < 1:
        raise UsageError(f"expected at least one pair and one job and a seed from 0, found {pairs}, {jobs}, {seed}")
    folder = Path(folder)
    corpus = Corpus(folder / "corpus.jsonl", [])
    for path in (corpus.path, corpus.words_path, corpus.boxes_path):
        path.unlink(missing_ok=True)  # of an older corpus here, whose media are about to change
    for name in ("images", "speech"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    blocks = [
        _Block(folder, seed, pairs, range(start, min(start + _BLOCK, pairs))) for start in range(0, pairs, _BLOCK)
    ]
    made: list[dict[str, Any]] = []
    with (progress or Silent()).step("drawing and speaking", pairs) as step:
        for records in spread(_make_block, blocks, jobs):
            made += records
            step.advance(len(records))
    corpus = Corpus(corpus.path, [Pair(**record["pair"]) for record in made])
    write_text(corpus.words_path, _lines({"id": r["pair"]["id"], "words": r["words"]} for r in made))
    write_text(corpus.boxes_path, _lines({"id": r["pair"]["id"], "boxes": r["boxes"]} for r in made))
    corpus.save()
    return corpus


def _make_block(block: _Block) -> list[dict[str, Any]]:
    return [_make_pair(block, number) for number in block.numbers]


def _make_pair(block: _Block, number: int) -> dict[str, Any]:
    rng = np.random.default_rng([block.seed, number])
    id = f"scene{number:05d}"
    scene = draw_scene(rng)
    caption = describe(scene, rng)
    voice = voices()[int(rng.integers(len(voices())))]
    spoken = record(caption.text, voice, rng, caption.pauses)
    image, speech = f"images/{id}.jpg", f"speech/{id}.flac"
    with replacing(block.folder / image, sync=False) as temporary:
        scene.picture.save(temporary, "JPEG", quality=_QUALITY)
    with replacing(block.folder / speech, sync=False) as temporary:
        write_flac(temporary, spoken.samples)
    split = "train" if number < block.pairs - round(block.pairs * VALIDATION) else "val"
    return {
        "pair": {
            "id": id,
            "image": image,
            "speech": speech,
            "split": split,
            "speaker": voice.name,
            "language": "en",
            "text": caption.text,
        },
        "words": [{"word": w.word, "start": w.start, "end": w.end} for w in spoken.words],
        "boxes": [{"word": p.thing.word, "box": list(p.box)} for p in scene.things],
    }


def _lines(records: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
