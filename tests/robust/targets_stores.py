"""Shards: damaged anywhere, or made by somebody with checksums that fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from avterm.store.evaluation import Labels, read_evaluation
from avterm.store.groundings import MODALITIES
from avterm.store.run import Run
from avterm.store.shards import HEADER_BYTES, Header, seal
from tests.robust.mutations import damaged
from tests.robust.targets_media import NOT_FILES
from tests.robust.targets_run import InRun, K


def everything(run: Run) -> None:
    """Read all that the commands read of a run's stores."""
    store = run.features
    for id in store.ids:
        if store.mel(id).shape[1] != 40 or len(store.active(id)) != len(store.mel(id)):
            raise TypeError("a caption whose arrays do not fit")
    _ = store.images, store.image_row, store.sizes, store.backbone[:], store.left_out(), store.offsets
    groundings = run.groundings
    for index in range(groundings.pair_count):
        pair = groundings.pair(index)
        _ = pair.pixels(), pair.segment, pair.score, pair.silence, groundings.of_row(pair.first)
    _ = groundings.ids, groundings.offsets, groundings.left_out(), groundings.pair_of(np.arange(len(groundings)))
    clusters = run.clusters(K)
    for modality in MODALITIES:
        values = groundings.embeddings(modality)
        side = getattr(clusters, modality)
        for number in range(len(side)):
            if len(rows := side.members(number)):
                _ = values[rows], side.distance[rows], side.assignment[rows]
        _ = side.centroid
    _ = clusters.affinity, clusters.image_of_speech, clusters.speech_of_image, read_evaluation(run, K)
    labels = Labels(run)
    _ = labels.all(), labels[0] if len(labels) else ""


class Stores(InRun):
    """Shards, damaged anywhere: the checksums tell."""

    def fill(self) -> None:
        """All shards."""
        self.take("features/*.h5", "groundings/*.h5", "clusters/*.h5", "evaluation/*.h5")
        self.by_hand = [(name, make) for make in NOT_FILES for name in ("groundings/00000.h5", "clusters/k00003.h5")]
        shard = self.seeds["clusters/k00003.h5"]
        for old, new in (
            (b'"rows": 12', b'"rows": 1e999'),
            (b'"rows": 12', b'"rows": -1'),
            (b'"format": 1', b'"format": 2'),
        ):
            self.by_hand.append(("clusters/k00003.h5", shard.replace(old, new, 1)))
        self.by_hand.append(("clusters/k00003.h5", b"[" * 100_000))

    def read(self, path: Path) -> list[str] | None:
        """All of the run; what is not as it was written must not go unnoticed."""
        everything(self.copy)
        if _meaning(path.read_bytes()) not in [_meaning(seed) for seed in self.seeds.values()]:
            raise ValueError("the damage was not noticed")
        return None


def _meaning(data: bytes) -> tuple[object, bytes]:
    """What a shard's first line says, and all that follows the header: what fills the header means nothing."""
    return json.loads(data.split(b"\n", 1)[0]), data[HEADER_BYTES:]


class SealedStores(Stores):
    """Shards that somebody made: damaged, or of other shapes, and with checksums that fit."""

    @staticmethod
    def damage(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
        """Damage what follows the header; `place` seals it."""
        return data[:HEADER_BYTES] + damaged(data[HEADER_BYTES:], rng, [other[HEADER_BYTES:] for other in others])

    def fill(self) -> None:
        """Shards that bend the format."""
        self.take("features/*.h5", "groundings/*.h5", "clusters/*.h5", "evaluation/*.h5")
        self.by_hand = [(name, self._bent(name, bend)) for name in self.seeds for bend in BENDS]

    def read(self, path: Path) -> list[str] | None:
        """All of the run; values may be others, as nothing can tell."""
        everything(self.copy)
        return None

    def place(self, number: int, rng: np.random.Generator) -> tuple[str, Path]:
        """As any target, and sealed."""
        label, path = super().place(number, rng)
        self._seal(path, self.seeds[str(path.relative_to(self.folder / "seed" / "copy"))])
        return label, path

    def _bent(self, name: str, bend: Callable[[h5py.File], None]) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            path.write_bytes(self.seeds[name])
            with h5py.File(path, "r+") as file:
                bend(file)
            self._seal(path, self.seeds[name])

        return make

    @staticmethod
    def _seal(path: Path, seed: bytes) -> None:
        line = json.loads(seed.split(b"\n", 1)[0])
        seal(path, Header(line["avterm"], line["rows"], line["fingerprint"], line["info"]))


def _every(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def _again(file: h5py.File, change: Callable[[np.ndarray], object], **how: object) -> None:
    name = _every(file)[len(_every(file)) // 2]
    values = file[name][:]
    del file[name]
    file.create_dataset(name, data=change(values), **how)


def _huge(file: h5py.File) -> None:
    name = _every(file)[-1]
    shape, kind = file[name].shape, file[name].dtype
    del file[name]
    file.create_dataset(name, shape=(1 << 40, *shape[1:]), dtype=kind, chunks=(1 << 16, *shape[1:]), compression="gzip")


def _elsewhere(file: h5py.File) -> None:
    name = _every(file)[0]
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/")


def _outside(file: h5py.File) -> None:
    name = _every(file)[-1]
    shape, kind = file[name].shape, file[name].dtype
    del file[name]
    if h5py.check_string_dtype(kind) is None:
        file.create_dataset(name, shape=shape, dtype=kind, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _link(file: h5py.File) -> None:
    name = _every(file)[0]
    del file[name]
    file[name] = h5py.SoftLink(f"/{name}")


def _missing(file: h5py.File) -> None:
    del file[_every(file)[0]]


def _group(file: h5py.File) -> None:
    name = _every(file)[0]
    del file[name]
    file.create_group(name)


def _numbers(file: h5py.File) -> None:
    for name in _every(file):
        if file[name].dtype.kind == "i" and file[name].size:
            file[name][...] = 1 << 30


def _backwards(file: h5py.File) -> None:
    for name in _every(file):
        if "offset" in name:
            file[name][...] = file[name][:][::-1]


def _deep_left_out(file: h5py.File) -> None:
    if "left_out" in file:
        del file["left_out"]
        file.create_dataset("left_out", data=["[" * 5000, "{}", '["a"]'], dtype=h5py.string_dtype())


BENDS: tuple[Callable[[h5py.File], None], ...] = (
    _huge,
    _elsewhere,
    _outside,
    _link,
    _missing,
    _group,
    _numbers,
    _backwards,
    _deep_left_out,
    lambda file: _again(file, lambda v: v[:0]),
    lambda file: _again(file, lambda v: np.array("text", dtype="S4")),
    lambda file: _again(file, lambda v: v[..., None]),
    lambda file: _again(file, lambda v: np.zeros(v.shape, "c16")),
)
