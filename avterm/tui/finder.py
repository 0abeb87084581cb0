"""The search as a process of its own: `python -m avterm.tui.finder RUN` answers one line of JSON with another.

    {"kind": "sound" | "picture", "path": "…", "k": 50}   →   {"hits": [{"kind": …, "id": …, …}, …]} | {"error": "…"}

The app starts it, so that neither loading torch, which lets no other thread of its process run for a fifth of a second,
nor a search makes a key wait; and so that leaving ends it. The model loads at the first question.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from avterm.errors import AvtermError
from avterm.retrieval.search import Searcher
from avterm.store.run import Run


class Answers:
    """Answers questions about a run."""

    def __init__(self, run: Path) -> None:
        """Nothing is read yet."""
        self._run, self._k = run, 0
        self._searcher: Searcher | None = None

    def to(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer; what cannot be found is told in it."""
        try:
            self._k = int(question["k"])
            if self._searcher is None:
                self._searcher = Searcher(Run.open(self._run), k=lambda: self._k)
            path = Path(question["path"])
            look = self._searcher.by_sound if question["kind"] == "sound" else self._searcher.by_picture
            return {"hits": [asdict(hit) for hit in look(path)]}
        except (AvtermError, OSError) as error:
            return {"error": str(error)}


def answer_all(run: Path, questions: TextIO, answers: TextIO) -> None:
    """Until there are no more questions."""
    ready = Answers(run)
    for line in questions:
        answers.write(json.dumps(ready.to(json.loads(line))) + "\n")
        answers.flush()


def main(arguments: list[str]) -> int:
    """RUN. What libraries write to stdout goes to stderr: a line there is an answer."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        answer_all(Path(arguments[0]), sys.stdin, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
