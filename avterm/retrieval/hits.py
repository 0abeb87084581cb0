"""What a search finds. Nothing here is heavy: the terminal app reads it before any model is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".sph")
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp")
SIMILARITY, DISTANCE = "similarity", "distance"


def kind_of(path: Path) -> str | None:
    """`sound` or `picture` by the file's ending; None for neither."""
    ending = path.suffix.lower()
    return "sound" if ending in SOUNDS else "picture" if ending in PICTURES else None


@dataclass(frozen=True, slots=True)
class Hit:
    """Something near: `kind` is `cluster` (id: its number) or `pair` (id: the pair's); a larger `score` is nearer."""

    kind: str
    id: str
    score: float
    modality: str = "speech"  # of a cluster
    text: str = ""  # what is known of it
    measure: str = SIMILARITY

    @property
    def value(self) -> float:
        """What people are shown: the distance, of which less is nearer, or the similarity."""
        return _shown(self.score, self.measure)


@dataclass(frozen=True)
class Found:
    """A hit as the command line prints it. kind: caption, picture, segment, speech-cluster or image-cluster.

    score: the larger, the nearer. Of captions and pictures the model's own similarity; of clusters of the other
    modality the inner product, as in grounding; of segments, and of clusters of the query's own modality, minus the
    squared distance, as clustering measures it. about: what else is known, ready for JSON.
    """

    kind: str
    score: float
    about: dict[str, Any] = field(default_factory=dict)
    measure: str = SIMILARITY

    @property
    def value(self) -> float:
        """What people are shown: the squared distance, of which less is nearer, or the similarity."""
        return _shown(self.score, self.measure)


def _shown(score: float, measure: str) -> float:
    """A score without the sign that makes the larger of two distances the worse one."""
    return abs(score) if measure == DISTANCE else score
