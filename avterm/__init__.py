"""Discover word-like units in untranscribed speech by looking at the pictures that it describes.

`avterm.open("RUN")` opens a run; see `avterm.store.run.Run` for what it holds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avterm.corpus.manifest import Corpus, Pair
    from avterm.store.run import Run

__version__ = "0.1.0"
__all__ = ["Corpus", "Pair", "Run", "__version__", "open"]


def open(path: str) -> Run:
    """Open the run in this folder."""
    run: type[Run] = __getattr__("Run")
    return run.open(path)


def __getattr__(name: str) -> Any:
    homes = {"Run": "avterm.store.run", "Corpus": "avterm.corpus.manifest", "Pair": "avterm.corpus.manifest"}
    if name in homes:
        return getattr(importlib.import_module(homes[name]), name)
    raise AttributeError(f"module 'avterm' has no attribute {name!r}")
