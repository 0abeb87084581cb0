"""Search by speech or by a picture: what of a run is near to something new.

A sound finds pictures, by the model's own similarity of whole captions and pictures; grounded segments like it; and
clusters of both modalities. A picture finds captions, and clusters of both modalities. Within a query, segments and
boxes are section 4's proposals; a sound of one word is one segment, from where speech is first heard to where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from avterm.corpus.manifest import Pair
from avterm.errors import BadInput
from avterm.grounding.proposals import box_proposals, segment_proposals, silence_shares
from avterm.retrieval.front import Front, Heard, Seen
from avterm.retrieval.hits import Found, Hit
from avterm.retrieval.near import NearClusters, near_segments
from avterm.retrieval.queries import shown
from avterm.retrieval.whole import best_captions, best_pictures
from avterm.store.run import Run
from avterm.training.device import choose_device
from avterm.units import seconds_in

MOST_PARTS = 600  # segments of a query that are compared with all of the run's; of more, evenly spread ones


class Searcher:
    """A run's model, and what it looks through: all pairs with features, groundings and clusters where they are."""

    def __init__(
        self, run: Run, device: str = "auto", splits: Sequence[str] = (), k: Callable[[], int | None] = lambda: None
    ) -> None:
        """splits: look through the pairs of these only. k: which clusters, asked at every search; None: those made
        last. StoreError where the run has no model or no features, BadInput where no pair is left."""
        self.run, self.front, self._k = run, Front(run, choose_device(device)), k
        store, pairs = run.features, run.corpus.split(*splits) if splits else list(run.corpus)
        self._pairs: dict[str, list[Pair]] = {}
        for pair in pairs:
            self._pairs.setdefault(pair.image, []).append(pair)
        self._captions = np.array([store.row[p.id] for p in pairs if p.id in store.row], np.int64)
        self._pictures = np.array([store.image_row[n] for n in self._pairs if n in store.image_row], np.int64)
        if not len(self._captions) or not len(self._pictures):
            which = f"split {' or '.join(splits)}" if splits else "the corpus"
            raise BadInput(f"{run.corpus_path}: no pair of {which} has features; see `avterm corpus show`")

    def by_sound(self, path: Path, most: int = 10) -> list[Hit]:
        """Clusters of both modalities, then pairs by their pictures, best first. BadInput where it cannot be read."""
        return _hits(self.sound(self.front.listen(path), most))

    def by_picture(self, path: Path, most: int = 10) -> list[Hit]:
        """Clusters of both modalities, then pairs by their captions, best first. BadInput where it cannot be read."""
        return _hits(self.picture(self.front.look(path), most))

    def sound(self, heard: Heard, most: int, without: str | None = None) -> list[Found]:
        """Pictures, segments and clusters near to speech, `most` of each; `without`: a pair whose own segments, which
        are as near as can be, are left out."""
        whole = best_pictures(self.front.model, self.run.features, heard.mel, self._pictures, most)
        found = [
            self._picture(row, score) for row, score in zip(whole.rows.tolist(), whole.scores.tolist(), strict=True)
        ]
        near, parts = self._near(), self._parts(heard)
        vectors = self.front.segments(self.front.frames(heard), parts)
        if any((self.run.path / "groundings").glob("?????.h5")):
            found += near_segments(self.run, vectors, parts, most, near, without)
        if near is not None:
            where = {"start": seconds_in(1) * parts[:, 0], "end": seconds_in(1) * parts[:, 1]}
            where = {name: values.round(2) for name, values in where.items()}
            found += near.nearest("speech", "speech", vectors, where, most)
            found += near.nearest("image", "speech", vectors, where, most)
        return found

    def picture(self, seen: Seen, most: int) -> list[Found]:
        """Captions and clusters near to a picture, `most` of each."""
        whole = best_captions(self.front.model, self.run.features, seen.features, self._captions, most)
        found = [
            self._caption(row, score) for row, score in zip(whole.rows.tolist(), whole.scores.tolist(), strict=True)
        ]
        near, boxes = self._near(), box_proposals(*seen.size, self.front.config)
        if near is not None and len(boxes):  # pictures of very odd shape allow no box
            fractions = boxes / self.front.config.grid
            vectors, pixels = self.front.boxes(seen, fractions), (fractions * np.tile(seen.size, 2)).round(1)
            found += near.nearest("image", "image", vectors, {"box": pixels}, most)
            found += near.nearest("speech", "image", vectors, {"box": pixels}, most)
        return found

    def _near(self) -> NearClusters | None:
        """Opened anew at every search: people name clusters in between."""
        k = self._k()
        if k is None and self.run.stage("cluster") is None:
            return None
        return NearClusters(self.run, self.run.clusters(k))

    def _parts(self, heard: Heard) -> np.ndarray:
        """int64 (S, 2): the segments of a query in frames."""
        config, (start, stop) = self.front.config, heard.spoken
        if stop - start <= config.segment_max:
            return np.array([[start, stop]], np.int64)
        segments = segment_proposals(len(heard.active), config)
        loud = segments[silence_shares(heard.active, segments) < config.max_silence]
        chosen = loud if len(loud) else segments
        return chosen[np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_PARTS)).astype(np.int64))]

    def _picture(self, row: int, score: float) -> Found:
        pairs = self._pairs[self.run.features.images[row]]
        text = next((p.text for p in pairs if p.text), None)
        path = shown(self.run.corpus.image_path(pairs[0]))
        return Found("picture", score, {"picture": path, "ids": [p.id for p in pairs], "text": text})

    def _caption(self, row: int, score: float) -> Found:
        pair = self.run.corpus[self.run.features.ids[row]]
        about = {"id": pair.id, "recording": shown(self.run.corpus.speech_path(pair)), "text": pair.text}
        return Found("caption", score, about)


def _hits(found: Iterable[Found]) -> list[Hit]:
    """As the terminal app shows them: clusters first, then pairs."""
    clusters, pairs = [], []
    for f in found:
        if f.kind.endswith("-cluster"):
            text = f.about["name"] or f.about["label"] or ""
            modality = f.kind.removesuffix("-cluster")
            clusters.append(Hit("cluster", str(f.about["cluster"]), f.score, modality, text, f.measure))
        elif f.kind in ("caption", "picture"):
            id = f.about["id"] if f.kind == "caption" else f.about["ids"][0]
            pairs.append(Hit("pair", id, f.score, text=f.about["text"] or ""))
    return clusters + pairs
