"""Groundings: a segment of a caption and the box of the picture that it names, with both embeddings (section 4).

groundings/00000.h5   a block of the corpus's pairs, in its order:
    id                 strings (n)         ids of the block's pairs that were grounded
    offset             int64 (n + 1)       pair i has the rows offset[i]:offset[i + 1], best score first
    size               int32 (n, 2)        width and height of the pair's picture in pixels
    frames             int32 (n,)          length of the pair's caption
    box                float32 (rows, 4)   x0, y0, x1, y1 as fractions of the picture
    segment            int32 (rows, 2)     first frame and the frame after the last (10 ms each)
    score              float32 (rows,)     inner product of the two embeddings
    silence            float32 (rows,)     share of the segment that is silence by the VAD
    speech_embedding   float16|32 (rows, D)
    image_embedding    float16|32 (rows, D)
    sound_embedding    float16|32 (rows, C)   where `grounding.sound` asked for it: the segment before the last layer
    left_out           strings             one line of JSON [id, kind, message] a pair that gave no grounding
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from avterm.config import fingerprint
from avterm.errors import Problem, StoreError
from avterm.store.shards import Header, Shard, read_header, write_shard
from avterm.store.stacked import Stacked

KIND = "groundings"
MODALITIES = ("speech", "image")
SOUND = "sound"  # of segments: the other way in which speech is embedded


@dataclass(frozen=True)
class PairGroundings:
    """All groundings of one pair, best first; arrays as in the module's description."""

    id: str
    first: int  # row of the first in the whole store
    size: tuple[int, int]
    frames: int
    box: np.ndarray
    segment: np.ndarray
    score: np.ndarray
    silence: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    def pixels(self) -> np.ndarray:
        """float32 (rows, 4): the boxes in pixels."""
        return self.box * np.asarray([*self.size, *self.size], np.float32)


def shard_path(folder: Path, number: int) -> Path:
    """Where shard `number` lies."""
    return folder / f"{number:05d}.h5"


def write_groundings(
    path: Path, made_from: str, arrays: Mapping[str, np.ndarray | list[str]], left_out: list[Problem]
) -> None:
    """Write one shard with the arrays that the module's description names."""
    lost = [json.dumps([p.id, p.kind, p.message]) for p in left_out]
    info = {"pairs": len(arrays["id"]), "left_out": len(lost)}
    write_shard(path, Header(KIND, len(arrays["score"]), made_from, info), {**arrays, "left_out": lost})


def left_out_of(path: Path) -> list[Problem]:
    """Every pair of a shard that gave no grounding, with the reason."""
    with Shard(path, KIND) as shard:
        return _left_out(shard)


class Groundings:
    """All grounding shards of a folder as one table; rows count through all shards. Shards open when first read."""

    def __init__(self, folder: Path) -> None:
        """Read the headers; StoreError where there is no shard or they were made from different inputs."""
        self.folder = Path(folder)
        self.paths = sorted(self.folder.glob("?????.h5"))
        headers = [read_header(path, KIND) for path in self.paths]
        if not headers:
            raise StoreError(f"{self.folder}: no groundings here; make them with `avterm ground`")
        if len({h.fingerprint for h in headers}) > 1:
            raise StoreError(
                f"{self.folder}: groundings of different configurations or models; run `avterm ground --redo`"
            )
        self.fingerprint = headers[0].fingerprint
        self.digest = fingerprint(self.fingerprint, [h.checksum for h in headers])  # of what is there, however made
        self.row_offsets = np.concatenate([[0], np.cumsum([h.rows for h in headers])]).astype(np.int64)
        self.pair_offsets = np.concatenate([[0], np.cumsum([h.info["pairs"] for h in headers])]).astype(np.int64)
        self._open: dict[int, Shard] = {}

    def __len__(self) -> int:
        return int(self.row_offsets[-1])

    @property
    def pair_count(self) -> int:
        """How many pairs were grounded."""
        return int(self.pair_offsets[-1])

    def shard(self, number: int) -> Shard:
        """One shard, open."""
        if number not in self._open:
            self._open[number] = Shard(self.paths[number], KIND)
        return self._open[number]

    def column(self, name: str) -> Stacked:
        """A column of rows (`box`, `segment`, `score`, `silence`) over all shards, lazily read."""
        return Stacked([self.shard(i)[name] for i in range(len(self.paths))])

    def embeddings(self, modality: str) -> Stacked:
        """(rows, D) embeddings of `speech` segments or `image` boxes, or of how segments `sound`, lazily read.

        StoreError where the groundings were made without the last.
        """
        if modality == SOUND and not all(f"{SOUND}_embedding" in self.shard(i) for i in range(len(self.paths))):
            raise StoreError(
                f"{self.folder}: holds no sounds to cluster by; `avterm ground --set grounding.sound=true --redo` "
                "makes them"
            )
        return self.column(f"{modality}_embedding")

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the grounded pairs, in order."""
        return [id for i in range(len(self.paths)) for id in self.shard(i).texts("id")]

    @cached_property
    def offsets(self) -> np.ndarray:
        """int64 (pairs + 1): pair i has the rows offsets[i]:offsets[i + 1]."""
        parts = [self.shard(i)["offset"][1:] + self.row_offsets[i] for i in range(len(self.paths))]
        return np.concatenate([np.zeros(1, np.int64), *parts])

    def pair_of(self, rows: np.ndarray) -> np.ndarray:
        """int64: index into `ids` of the pair of each row."""
        return np.searchsorted(self.offsets, rows, side="right") - 1

    @cached_property
    def _index(self) -> dict[str, int]:
        return {id: i for i, id in enumerate(self.ids)}

    def __contains__(self, id: str) -> bool:
        return id in self._index

    def of_pair(self, id: str) -> PairGroundings:
        """All groundings of one pair; KeyError where it was not grounded."""
        return self.pair(self._index[id])

    def of_row(self, row: int) -> PairGroundings:
        """All groundings of the pair that this row belongs to; opens its shard only."""
        number = int(np.searchsorted(self.row_offsets, row, side="right") - 1)
        local = np.searchsorted(self.shard(number)["offset"][:], row - self.row_offsets[number], side="right") - 1
        return self._pair(number, int(local))

    def pair(self, index: int) -> PairGroundings:
        """All groundings of the pair at this place among `ids`; opens its shard only."""
        number = int(np.searchsorted(self.pair_offsets, index, side="right") - 1)
        return self._pair(number, int(index - self.pair_offsets[number]))

    def left_out(self) -> list[Problem]:
        """Every pair that gave no grounding, with the reason."""
        return [problem for i in range(len(self.paths)) for problem in _left_out(self.shard(i))]

    def _pair(self, number: int, local: int) -> PairGroundings:
        shard = self.shard(number)
        start, stop = (int(v) for v in shard["offset"][local : local + 2])
        width, height = (int(v) for v in shard["size"][local])
        rows = slice(start, stop)
        return PairGroundings(
            id=shard.text("id", local),
            first=int(self.row_offsets[number]) + start,
            size=(width, height),
            frames=int(shard["frames"][local]),
            box=shard["box"][rows],
            segment=shard["segment"][rows],
            score=shard["score"][rows],
            silence=shard["silence"][rows],
        )


def _left_out(shard: Shard) -> list[Problem]:
    try:
        return [Problem(*json.loads(text)) for text in shard.texts("left_out")]
    except (ValueError, TypeError, RecursionError):
        raise StoreError(f"{shard.path}: 'left_out' is not as avterm writes it; run its stage again") from None
