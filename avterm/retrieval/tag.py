"""Known words in recordings that have no picture (what section 4 does with a caption, without the picture).

Segments are proposed on section 4's grid, as long as the run's own segments are; silence is left out; each goes to its
nearest cluster; from the surest down, those that overlap no surer one are kept. Where the run has adaptive borders,
the ends of what is kept move to where the likeness to the cluster's centroid rises and falls, as the likeness to the
box does in grounding, and it is judged again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from avterm_kernels.selection import select_segments

from avterm.config import GroundingConfig
from avterm.engine.ahead import ahead, workers_here
from avterm.errors import BadInput, Problem, UsageError
from avterm.grounding.borders import refine_borders
from avterm.grounding.proposals import segment_proposals, silence_shares
from avterm.grounding.roads import Spoken
from avterm.retrieval.front import SHORTEST, Front, Heard
from avterm.retrieval.lexicon import Lexicon, common_lengths
from avterm.speech.logmel import log_mel
from avterm.speech.stretches import Stretch, stretches
from avterm.units import frames_in_samples, seconds_in

SURE_ENOUGH = 0.5  # more likely right than wrong


@dataclass(frozen=True, slots=True)
class Tag:
    """A known word in a recording; start and end in seconds, confidence from 0 to 1."""

    start: float
    end: float
    cluster: int  # after merges
    name: str | None  # given by somebody who curated
    label: str | None  # of an evaluation with word times
    confidence: float

    @property
    def title(self) -> str:
        """The name, else the label, else the number."""
        return self.name or self.label or f"#{self.cluster}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times to the frame, confidence to four digits."""
        return {
            "start": round(self.start, 2),
            "end": round(self.end, 2),
            "cluster": self.cluster,
            "name": self.name,
            "label": self.label,
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True)
class Tagged:
    """A recording's tags in order of time, and its length in seconds; and how many were left out as not sure enough,
    with the highest confidence of those."""

    path: Path
    seconds: float
    tags: list[Tag]
    below: int = 0
    highest_below: float = 0.0


class Tagger:
    """Finds the words of a lexicon. Threads may share one."""

    def __init__(self, front: Front, lexicon: Lexicon, least: float = SURE_ENOUGH) -> None:
        """`least`: tags of less confidence are left out. UsageError where no confidence is meant."""
        if not 0 <= least <= 1:
            raise UsageError(f"--min-confidence {least}: expected 0 to 1")
        self.front, self.lexicon, self.least = front, lexicon, least
        self.config: GroundingConfig = front.config
        shortest, longest = common_lengths(front.run.groundings, self.config.segment_step)
        self._proposed = dataclasses.replace(self.config, segment_min=shortest, segment_max=longest)

    def recordings(self, paths: Sequence[Path]) -> Iterator[tuple[Path, Tagged | Problem]]:
        """Each recording's tags, in the order of `paths`, each with what it gave or why it could not be read.

        On a processor a thread a core: over recordings where there are several, over its stretches where there is one.
        """
        if len(paths) > 1 and self.front.device.type == "cpu":
            yield from ahead(self._alone, paths)
        else:
            yield from ((path, self._recording(path, spread=self.front.device.type == "cpu")) for path in paths)

    def heard(self, heard: Heard) -> list[Tag]:
        """The tags of speech whose features are there."""
        return [tag for tag in self._tags(heard, 0) if tag.confidence >= self.least]

    def _alone(self, path: Path) -> Tagged | Problem:
        return self._recording(path, spread=False)

    def _recording(self, path: Path, spread: bool) -> Tagged | Problem:
        parts, tags, frames = stretches(path, self.front.run.config.speech.vad), [], 0
        try:
            while some := list(islice(parts, 2 * workers_here() if spread else 1)):
                found = (
                    ahead(self._stretch, some) if spread and len(some) > 1 else ((s, self._stretch(s)) for s in some)
                )
                for stretch, new in found:
                    tags += new
                    frames = stretch.first + frames_in_samples(len(stretch.samples))
        except BadInput as error:
            return Problem(str(path), "unreadable-speech", str(error))
        below = [tag.confidence for tag in tags if tag.confidence < self.least]
        kept = [tag for tag in tags if tag.confidence >= self.least]
        return Tagged(path, seconds_in(frames), kept, len(below), max(below, default=0.0))

    def _stretch(self, stretch: Stretch) -> list[Tag]:
        mel = log_mel(stretch.samples, self.front.run.config.speech.mels).astype(np.float16)
        return self._tags(Heard(mel, stretch.active), stretch.first)

    @torch.inference_mode()
    def _tags(self, heard: Heard, first: int) -> list[Tag]:
        """However sure they are."""
        segments = self._proposals(heard)
        if not len(segments):
            return []
        spoken = self.front.frames(heard)
        segments, cluster, sure = self._choose(spoken, segments)
        if self.config.borders == "adaptive" and len(segments):
            boxes = torch.from_numpy(self.lexicon.centroid[cluster]).to(spoken.output.device)
            height = self.config.border_height
            moved = refine_borders(spoken.output, self.front.model.stride, heard.active, segments, boxes, height)
            segments, cluster, sure = self._choose(spoken, moved)
        entries = [self.lexicon.entries[c] for c in cluster.tolist()]
        tags = [
            Tag(seconds_in(first + a), seconds_in(first + b), entry.cluster, entry.name, entry.label, float(p))
            for (a, b), entry, p in zip(segments.tolist(), entries, sure, strict=True)
        ]
        return sorted(tags, key=lambda tag: tag.start)

    def _proposals(self, heard: Heard) -> np.ndarray:
        """int64 (S, 2): section 4's segments, as long as the run's own are, silence left out."""
        frames = len(heard.active)
        if frames < SHORTEST:
            return np.zeros((0, 2), np.int64)
        segments = segment_proposals(frames, self._proposed)
        if not len(segments):  # a recording of one short word
            segments = np.array([[0, frames]], np.int64)
        return segments[silence_shares(heard.active, segments) < self.config.max_silence]

    def _choose(self, spoken: Spoken, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Segments, clusters and confidence of those that overlap no surer one, the surest first."""
        embed = self.front.sounds if self.lexicon.by_sound else self.front.segments
        cluster, sure = self.lexicon.judge(embed(spoken, segments))
        loud = np.zeros(len(segments), np.float32)
        kept = select_segments(segments, sure, loud, 1.0, 0.0, 0.0, len(segments))
        return segments[kept], cluster[kept], sure[kept]
