"""Which shards a run's stages write, and which of them are not there or cannot be used.

A shard has its final name and content whoever makes it: one process, several, or tasks on many machines that each
take a share (`--shard I/N`). So shards are never moved or copied together; what is left to do is to see that they are
all there and made from the same inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from avterm.errors import StoreError
from avterm.store.features import IMAGES, SPEECH, shard_count
from avterm.store.features import shard_path as feature_path
from avterm.store.groundings import KIND as GROUNDINGS
from avterm.store.groundings import shard_path as grounding_path
from avterm.store.run import Run
from avterm.store.shards import read_header, verify


@dataclass(frozen=True)
class ExpectedShard:
    """One shard that a stage writes. key: fingerprint of what it is to be made from, where that is known."""

    path: Path
    kind: str
    key: str | None = None

    @property
    def name(self) -> str:
        """As in `speech-00003`."""
        return self.path.stem


@dataclass(frozen=True)
class Lack:
    """A shard that a stage cannot do without. kind: missing, damaged, or other (made from other inputs)."""

    part: ExpectedShard
    kind: str


def feature_parts(run: Run) -> list[ExpectedShard]:
    """The shards of `avterm features`."""
    counts = {SPEECH: len(run.corpus), IMAGES: len({pair.image for pair in run.corpus})}
    return [
        ExpectedShard(feature_path(run.features_path, kind, number), kind)
        for kind, count in counts.items()
        for number in range(shard_count(count))
    ]


def grounding_parts(run: Run) -> list[ExpectedShard]:
    """The shards of `avterm ground` with the run's settings."""
    config = run.config.grounding
    count = -(-len(run.corpus.split(*config.splits)) // max(config.pairs_per_shard, 1))
    return [ExpectedShard(grounding_path(run.path / "groundings", number), GROUNDINGS) for number in range(count)]


def missing(parts: Iterable[ExpectedShard]) -> list[ExpectedShard]:
    """Those that are not there."""
    return [part for part in parts if not part.path.exists()]


def lacking(parts: Iterable[ExpectedShard]) -> list[Lack]:
    """Those that are not there, differ from their checksum, or were made from other inputs; reads all of them."""
    found = []
    for part in parts:
        try:
            if not part.path.exists():
                found.append(Lack(part, "missing"))
            elif part.key is not None and read_header(part.path, part.kind).fingerprint != part.key:
                found.append(Lack(part, "other"))
            else:
                verify(part.path, part.kind)
        except StoreError:
            found.append(Lack(part, "damaged"))
    return found
