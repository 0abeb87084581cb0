"""What the search screen asks: which clusters and captions are nearest to a new sound or picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".sph")
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something near: `kind` is `cluster` (id: its number) or `pair` (id: the pair's); a larger `score` is nearer."""

    kind: str
    id: str
    score: float
    modality: str = "speech"  # of a cluster
    text: str = ""  # what is known of it


class Searcher(Protocol):
    """Embeds a sound or picture with the run's model and looks around. Both block, and raise AvtermError."""

    def by_sound(self, path: Path) -> Sequence[Hit]:
        """Nearest clusters of segments, and captions' pictures, best first."""

    def by_picture(self, path: Path) -> Sequence[Hit]:
        """Nearest clusters of crops, and captions, best first."""


def kind_of(path: Path) -> str | None:
    """`sound` or `picture` by the file's ending; None for neither."""
    ending = path.suffix.lower()
    return "sound" if ending in SOUNDS else "picture" if ending in PICTURES else None
