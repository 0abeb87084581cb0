"""What the search screen asks: which clusters and captions are nearest to a new sound or picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from avterm.retrieval.hits import PICTURES, SOUNDS, Hit, kind_of

__all__ = ["PICTURES", "SOUNDS", "Hit", "Searcher", "kind_of"]


class Searcher(Protocol):
    """Embeds a sound or picture with the run's model and looks around. Both block, and raise AvtermError."""

    def by_sound(self, path: Path) -> Sequence[Hit]:
        """Nearest clusters of both modalities, then pairs by their pictures, best first."""

    def by_picture(self, path: Path) -> Sequence[Hit]:
        """Nearest clusters of both modalities, then pairs by their captions, best first."""
