"""What the search screen asks: which clusters and captions are nearest to a new sound or picture."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from avterm.errors import BadInput, StoreError
from avterm.retrieval.hits import DISTANCE, PICTURES, SOUNDS, Hit, kind_of

__all__ = ["DISTANCE", "PICTURES", "SOUNDS", "Hit", "SearchProcess", "Searcher", "kind_of"]


class Searcher(Protocol):
    """Embeds a sound or picture with the run's model and looks around. Both block, and raise AvtermError."""

    def by_sound(self, path: Path) -> Sequence[Hit]:
        """Nearest clusters of both modalities, then pairs by their pictures, best first."""

    def by_picture(self, path: Path) -> Sequence[Hit]:
        """Nearest clusters of both modalities, then pairs by their captions, best first."""

    def close(self) -> None:
        """End; a search that goes on in another thread fails at once."""


class SearchProcess:
    """A Searcher that asks `avterm.tui.finder`, started at the first question and kept for those that follow."""

    def __init__(self, run: Path, k: Callable[[], int]) -> None:
        """`k`: which clusters, asked at every search."""
        # -P: no module from the folder that avterm was started in, which may be somebody's corpus
        self._command = [sys.executable, "-P", "-m", "avterm.tui.finder", str(run)]
        self._k = k
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._turn, self._starting = Lock(), Lock()

    def by_sound(self, path: Path) -> list[Hit]:
        """As the protocol says."""
        return self._ask("sound", path)

    def by_picture(self, path: Path) -> list[Hit]:
        """As the protocol says."""
        return self._ask("picture", path)

    def close(self) -> None:
        """End the process."""
        with self._starting:
            self._closed = True
            process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _ask(self, kind: str, path: Path) -> list[Hit]:
        question = json.dumps({"kind": kind, "path": str(path.absolute()), "k": self._k()})
        with self._turn:
            answer = self._answer(question)
        if "error" in answer:
            raise BadInput(answer["error"])
        return [Hit(**hit) for hit in answer["hits"]]

    def _answer(self, question: str) -> dict[str, Any]:
        process = self._running()
        if process.stdin is None or process.stdout is None:
            raise StoreError("the search has no way to answer")
        try:
            process.stdin.write(question + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:  # it is started again for the next question
            raise StoreError(f"the search ended by itself (code {process.wait()}); try `avterm search` to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[str]:
        with self._starting:
            if self._closed:
                raise StoreError("the search was closed")
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    text=True, encoding="utf-8",
                )  # fmt: skip
            return self._process
