"""Features: what training and grounding read instead of sounds and pictures, computed once.

features/speech-00000.h5   a block of the corpus's pairs, in its order:
    id          strings (n)             pairs that could be read
    offset      int64 (n + 1)           pair i has the frames offset[i]:offset[i + 1]
    mel         float16 (frames, 40)    log-mel energies, section 3
    active      uint8 (frames,)         1 where the voice activity detector hears speech
    left_out    strings                 one line of JSON [id, kind, message] for each pair that could not be read
features/images-00000.h5   a block of the corpus's distinct pictures, in order of first use:
    image       strings (n)             paths as in the manifest
    size        int32 (n, 2)            width and height in pixels, after any EXIF rotation
    backbone    float16 (n, H, W, C) or (n, C)   frozen backbone's output (grid or vector)
    left_out    as above
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from avterm.errors import Problem, StoreError
from avterm.store.shards import Header, Shard, read_header, write_shard
from avterm.store.stacked import Stacked

SPEECH = "features-speech"
IMAGES = "features-images"
PER_SHARD = 1000  # recordings or pictures


def shard_count(files: int) -> int:
    """How many shards hold so many recordings or pictures; one at least."""
    return max(-(-files // PER_SHARD), 1)


def shard_of(place: int) -> int:
    """The number of the shard that holds the recording or picture at this place of the corpus."""
    return place // PER_SHARD


def places_of(number: int) -> slice:
    """Which of the corpus's recordings or pictures this shard holds."""
    return slice(number * PER_SHARD, (number + 1) * PER_SHARD)


def shard_path(folder: Path, kind: str, number: int) -> Path:
    """Where shard `number` of SPEECH or IMAGES lies."""
    return folder / f"{kind.removeprefix('features-')}-{number:05d}.h5"


def shard_paths(folder: Path, kind: str) -> list[Path]:
    """Every shard of SPEECH or IMAGES that is there, in order."""
    return sorted(folder.glob(shard_path(folder, kind, 0).name.replace("00000", "?????")))


def write_features(
    path: Path, kind: str, fingerprint: str, arrays: Mapping[str, np.ndarray | list[str]], left_out: list[Problem]
) -> None:
    """Write one shard of SPEECH or IMAGES with the arrays that the module's description names."""
    rows = len(arrays["id" if kind == SPEECH else "image"])
    lost = [json.dumps([p.id, p.kind, p.message]) for p in left_out]
    write_shard(path, Header(kind, rows, fingerprint, {"left_out": len(lost)}), {**arrays, "left_out": lost})


def left_out_of(path: Path, kind: str) -> list[Problem]:
    """What a shard of SPEECH or IMAGES had to leave out, with the reasons."""
    with Shard(path, kind) as shard:
        return _left_out(shard)


def features_fingerprint(folder: Path) -> str:
    """Changes when any feature does; reads the shards' headers only. StoreError where there are none."""
    made = []
    for kind in (SPEECH, IMAGES):
        paths = shard_paths(Path(folder), kind)
        if not paths:
            raise StoreError(f"{folder}: no features here; compute them with `avterm features`")
        made += sorted({read_header(path, kind).fingerprint for path in paths})
    return "-".join(made)


class FeatureStore:
    """All feature shards of a folder, read lazily. Speech is found by pair id, pictures by their manifest path."""

    def __init__(self, folder: Path, only: Mapping[str, Collection[int]] | None = None) -> None:
        """Open every shard in `folder`; StoreError where there is none or they were made from different inputs.

        only: {SPEECH: numbers, IMAGES: numbers}, to open these shards and see what is in them alone.
        """
        self.folder = Path(folder)
        self._speech = self._open(SPEECH, only)
        self._images = self._open(IMAGES, only)

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the pairs whose speech is here, in corpus order."""
        return [id for shard in self._speech for id in shard.texts("id")]

    @cached_property
    def images(self) -> list[str]:
        """Manifest paths of the pictures that are here."""
        return [name for shard in self._images for name in shard.texts("image")]

    @cached_property
    def row(self) -> dict[str, int]:
        """Row of each pair id."""
        return {id: i for i, id in enumerate(self.ids)}

    @cached_property
    def image_row(self) -> dict[str, int]:
        """Row of each picture."""
        return {name: i for i, name in enumerate(self.images)}

    @cached_property
    def offsets(self) -> np.ndarray:
        """int64 (pairs + 1): row i's frames are offsets[i]:offsets[i + 1] of `mels` and `activity`."""
        parts, base = [np.zeros(1, np.int64)], 0
        for shard in self._speech:
            offset = shard["offset"][:]
            parts.append(offset[1:] + base)
            base += int(offset[-1])
        return np.concatenate(parts)

    @cached_property
    def mels(self) -> Stacked:
        """(frames, 40): every caption's frames, one caption after the other."""
        return Stacked([shard["mel"] for shard in self._speech])

    @cached_property
    def activity(self) -> Stacked:
        """(frames,): 1 where speech is heard."""
        return Stacked([shard["active"] for shard in self._speech])

    @cached_property
    def sizes(self) -> np.ndarray:
        """int32 (pictures, 2): width and height in pixels."""
        return np.concatenate([shard["size"][:] for shard in self._images])

    @cached_property
    def backbone(self) -> Stacked:
        """(pictures, H, W, C) or (pictures, C): the frozen backbone's output."""
        return Stacked([shard["backbone"] for shard in self._images])

    def mel(self, id: str) -> np.ndarray:
        """float16 (frames, 40) of one pair."""
        row = self.row[id]
        return self.mels[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def active(self, id: str) -> np.ndarray:
        """uint8 (frames,) of one pair."""
        row = self.row[id]
        return self.activity[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def left_out(self) -> list[Problem]:
        """Every pair or picture that could not be read, with the reason."""
        return [problem for shard in [*self._speech, *self._images] for problem in _left_out(shard)]

    def _open(self, kind: str, only: Mapping[str, Collection[int]] | None) -> list[Shard]:
        if only is None:
            paths = shard_paths(self.folder, kind)
        else:
            paths = [shard_path(self.folder, kind, number) for number in sorted(only[kind])]
        shards = [Shard(path, kind) for path in paths]
        if not shards:
            raise StoreError(f"{self.folder}: no features here; compute them with `avterm features`")
        made = {s.header.fingerprint for s in shards}
        if len(made) > 1:
            raise StoreError(
                f"{self.folder}: {kind} of {len(made)} configurations or corpora; run `avterm features --redo`"
            )
        return shards


def _left_out(shard: Shard) -> list[Problem]:
    try:
        return [Problem(*json.loads(text)) for text in shard.texts("left_out")]
    except (ValueError, TypeError, RecursionError):
        raise StoreError(f"{shard.path}: 'left_out' is not as avterm writes it; run its stage again") from None
