"""Where the things named in a caption truly are. Evaluation reads this; learning never does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avterm.corpus.manifest import Corpus
from avterm.corpus.reading import lines, parse_json, read_json
from avterm.errors import BadInput

_FARTHEST = 1e9  # pixels; NaN and infinity are beyond it too


@dataclass(frozen=True, slots=True)
class TrueBox:
    """A word, and the box x0 y0 x1 y1 in pixels of the thing that it names."""

    word: str
    box: tuple[float, float, float, float]


def boxes_of(corpus: Corpus, path: Path | None = None) -> dict[str, list[TrueBox]]:
    """Boxes by pair id: from `path`, else from the corpus's own boxes.jsonl, else none."""
    if path is None:
        return read_boxes(corpus.boxes_path) if corpus.boxes_path.exists() else {}
    return read_boxes(path)


def read_boxes(path: Path) -> dict[str, list[TrueBox]]:
    """From JSON lines `{"id", "boxes": [{"word", "box"}]}`, or one JSON object `{id: [{"word", "box"}]}`."""
    path = Path(path)
    try:
        if path.suffix.lower() == ".jsonl":
            records = (parse_json(line, f"{path}:{number}") for number, line in lines(path))
            listed = {r["id"]: r["boxes"] for r in records}
        else:
            listed = read_json(path)
        return {str(id): [_box(item, f"{path}: {id}") for item in items] for id, items in listed.items()}
    except (KeyError, TypeError, AttributeError):
        raise BadInput(f'{path}: expected {{"id", "boxes": [{{"word", "box"}}]}} on every line') from None


def _box(item: Any, where: str) -> TrueBox:
    values = item["box"]
    if len(values) != 4 or not all(isinstance(v, int | float) and abs(v) < _FARTHEST for v in values):
        raise BadInput(f"{where}: expected x0 y0 x1 y1, found {values!r:.60}")
    x0, y0, x1, y1 = (float(v) for v in values)
    if x1 <= x0 or y1 <= y0:
        raise BadInput(f"{where}: box {values} is empty")
    return TrueBox(str(item["word"]).lower(), (x0, y0, x1, y1))
