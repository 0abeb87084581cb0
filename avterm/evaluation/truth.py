"""Every grounding against word times and true boxes: its label, and whether box and segment lie where they should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avterm.corpus.boxes import TrueBox
from avterm.corpus.words import Word
from avterm.engine.mapping import HERE, Engine, Report, Told
from avterm.evaluation.labels import UNKNOWN, segment_label
from avterm.evaluation.localisation import locate
from avterm.progress import Progress
from avterm.store.groundings import KIND, Groundings
from avterm.store.shards import Shard
from avterm.units import seconds_in

Words = Mapping[str, Sequence[Word]]
Boxes = Mapping[str, Sequence[TrueBox]]


@dataclass(frozen=True)
class Truth:
    """One entry a grounding, in the order of the store."""

    labels: list[str]
    names: list[str]  # words that some true box of a label bears
    word: np.ndarray  # int32: index into `names`; -1 where no word of the label has a true box
    pointing: np.ndarray  # bool
    iou: np.ndarray  # float64
    bordered: np.ndarray  # bool: some word overlaps
    borders: np.ndarray  # bool (N, 2): start, end within 100 ms of the word's

    def bounded(self) -> dict[str, np.ndarray]:
        """bool: of the segments that a word overlaps, those whose borders are the word's: both, the start, the end."""
        borders = self.borders[self.bordered]
        return {"boundaries": borders.all(axis=1), "boundary_starts": borders[:, 0], "boundary_ends": borders[:, 1]}


def compare(
    store: Groundings, words: Words, boxes: Boxes, share: float, progress: Progress, engine: Engine = HERE
) -> Truth:
    """Label and locate every grounding; `share` of a word's duration must lie inside a segment to label it.

    Groundings of captions that are not among `words` are "(unknown)": nothing tells silence from what was not aligned.
    """
    tasks = []
    for number, path in enumerate(store.paths):
        ids = store.ids[int(store.pair_offsets[number]) : int(store.pair_offsets[number + 1])]
        spoken = {id: words[id] for id in ids if id in words}
        shown = {id: boxes[id] for id in ids if id in boxes}
        tasks.append(_Known(number, path, spoken, shown))
    with progress.step("label", store.pair_count) as step:
        return _joined(list(engine.map(partial(_compare_shard, share), tasks, Told(step, progress))))


@dataclass(frozen=True)
class _Known:
    """One shard of groundings, and what is known of its pairs."""

    number: int
    path: Path
    words: Words
    boxes: Boxes


def _compare_shard(share: float, known: _Known, report: Report) -> Truth:
    with Shard(known.path, KIND) as shard:
        ids, offsets = shard.texts("id"), shard["offset"][:]
        segments, fractions = shard["segment"][:], shard["box"][:].astype(np.float64)
        sizes = shard["size"][:].astype(np.float64)
    rows = len(segments)
    labels: list[str] = []
    names: dict[str, int] = {}
    word = np.full(rows, -1, np.int32)
    pointing, iou = np.zeros(rows, bool), np.zeros(rows)
    bordered, borders = np.zeros(rows, bool), np.zeros((rows, 2), bool)
    for index, id in enumerate(ids):
        spoken, shown = known.words.get(id), known.boxes.get(id, ())
        report.advance()
        if spoken is None:
            labels += [UNKNOWN] * int(offsets[index + 1] - offsets[index])
            continue
        scale = np.tile(sizes[index], 2)
        for row in range(int(offsets[index]), int(offsets[index + 1])):
            times = (seconds_in(int(segments[row, 0])), seconds_in(int(segments[row, 1])))
            labels.append(segment_label(spoken, *times, share))
            found = locate(fractions[row] * scale, times, labels[-1], shown, spoken)
            if found.word is not None:
                word[row] = names.setdefault(found.word, len(names))
            pointing[row], iou[row] = found.pointing, found.iou
            if found.borders is not None:
                bordered[row], borders[row] = True, found.borders
    return Truth(labels, list(names), word, pointing, iou, bordered, borders)


def _joined(parts: Sequence[Truth]) -> Truth:
    """One after the other, as if they had been one shard."""
    names: dict[str, int] = {}
    words = []
    for part in parts:
        number = np.array([names.setdefault(name, len(names)) for name in part.names] + [-1], np.int32)
        words.append(number[part.word])  # -1 takes the last entry
    return Truth(
        [label for part in parts for label in part.labels],
        list(names),
        np.concatenate(words),
        np.concatenate([part.pointing for part in parts]),
        np.concatenate([part.iou for part in parts]),
        np.concatenate([part.bordered for part in parts]),
        np.concatenate([part.borders for part in parts]),
    )


def localisation(truth: Truth) -> dict[str, Any]:
    """Pointing accuracy and mean IOU over the groundings whose label holds a word with a true box, also by word; and
    the shares of segments that start and end where their word does. Without what is not known."""
    found: dict[str, Any] = {}
    shown = truth.word >= 0
    if shown.any():
        word = truth.word[shown]
        count = np.bincount(word, minlength=len(truth.names))
        pointing = np.bincount(word, truth.pointing[shown], len(truth.names))
        iou = np.bincount(word, truth.iou[shown], len(truth.names))
        found["pointing"] = float(pointing.sum() / count.sum())
        found["iou"] = float(iou.sum() / count.sum())
        found["located"] = int(count.sum())
        found["by_word"] = {
            name: {
                "count": int(count[i]),
                "pointing": float(pointing[i] / count[i]),
                "iou": float(iou[i] / count[i]),
            }
            for name, i in sorted((name, i) for i, name in enumerate(truth.names))
        }
    if truth.bordered.any():
        found |= {name: float(values.mean()) for name, values in truth.bounded().items()}
    return found
