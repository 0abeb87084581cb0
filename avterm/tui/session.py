"""What all screens share: the run, the clusters of one k, what was evaluated and decided, and how to see and hear."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avterm import units
from avterm.errors import AvtermError, BadInput, StoreError, UsageError
from avterm.store.clusters import NOISE, Clusters, Modality
from avterm.store.curation import Curation, curation_path, make_edit
from avterm.store.evaluation import Labels, labels_fingerprint, read_evaluation
from avterm.store.journal import Edit, Journal
from avterm.store.run import Run
from avterm.tui.media import Media, Readers, spoken
from avterm.tui.player import SPEEDS, Player, Recorder, Sound
from avterm.tui.rows import ClusterRow, build_rows
from avterm.tui.searcher import Searcher

FEW_ROWS = 200_000  # groundings that are read through to count speakers
OTHER = {"speech": "image", "image": "speech"}
LETTER = {"speech": "S", "image": "I"}


@dataclass(frozen=True, slots=True)
class Member:
    """A grounding as a member of a cluster."""

    row: int
    id: str
    start: int
    end: int
    box: tuple[float, float, float, float]
    score: float
    silence: float
    frames: int
    label: str | None


class Session:
    """Methods that say so block on the disk, and are called from threads."""

    def __init__(self, run: Run, k: int | None, readers: Readers, sound: Sound,
                 searcher: Callable[[], Searcher] | None = None) -> None:  # fmt: skip
        """Reads the clusters and the evaluation of `k` (None: those made last); StoreError where there are none."""
        self.run = run
        self.media = Media(run, readers)
        self.sound = sound
        self.searcher = searcher
        self.journal = Journal(curation_path(run))
        self.speed = SPEEDS.index(1.0)
        self.loop = False
        self.order: list[int] = []  # clusters as the table shows them, for stepping from one to the next
        self._player: Player | None = None
        self._recorder: Recorder | None = None
        self._labels: Labels | None = None
        self.speakers: dict[int, int] = {}
        self._searcher: Searcher | None = None
        self.writer = ThreadPoolExecutor(1, "avterm-curation")
        self.choose(k)

    def choose(self, k: int | None) -> None:
        """Turn to the clusters of another k."""
        if k is not None and k not in self.run.ks:
            raise UsageError(f"{self.run.path}: no clusters of k = {k}; there are {self.run.ks}")
        self.clusters: Clusters = self.run.clusters(k)
        self.k = len(self.clusters.speech)
        self.evaluation = read_evaluation(self.run, self.k)
        self.speakers = {}
        self.curation: dict[str, Curation] = {}

    def side(self, modality: str) -> Modality:
        """The clusters of a modality."""
        side: Modality = getattr(self.clusters, modality)
        return side

    def rows(self, modality: str) -> list[ClusterRow]:
        """A row for every cluster."""
        mine, other = self.curation.get(modality), self.curation.get(OTHER[modality])
        return build_rows(self.clusters, modality, self.evaluation, mine, other, self.speakers)

    def name(self, modality: str, cluster: int) -> str:
        """The cluster's name, or what was found as its label, or nothing."""
        curation = self.curation.get(modality)
        given = curation.name(cluster) if curation else None
        if given:
            return given
        if modality == "speech" and cluster == self.clusters.noise:
            return NOISE
        if self.evaluation is None:
            return ""
        number = cluster if modality == "speech" else int(self.clusters.speech_of_image[cluster])
        for record in self.evaluation.get("clusters", ()):
            if isinstance(record, dict) and record.get("cluster") == number:
                return str(record.get("label") or "")
        return ""

    def read_curation(self) -> list[Edit]:
        """Blocks. Read the journal anew; the edits that fit none of these clusters come back."""
        history = self.journal.history()
        self.curation = {m: Curation(self.run, self.clusters, history, m) for m in OTHER}
        return [edit for curation in self.curation.values() for edit in curation.unplaced]

    def decide(self, modality: str, kind: str, cluster: int, **values: Any) -> None:
        """Blocks. Keep a decision on disk, then apply it."""
        self.journal.append([make_edit(self.run, self.clusters, modality, kind, cluster, **values)])
        self.read_curation()

    def undo(self) -> Edit | None:
        """Blocks. Take back the last decision."""
        edit = self.journal.undo()
        self.read_curation()
        return edit

    def redo(self) -> Edit | None:
        """Blocks. Bring back the last decision taken back."""
        edit = self.journal.redo()
        self.read_curation()
        return edit

    def member_rows(self, modality: str, cluster: int) -> np.ndarray:
        """Blocks. int64: members from the centre outwards, with those of clusters merged in and those split off."""
        side, curation = self.side(modality), self.curation.get(modality)
        merged = curation.merged(cluster) if curation else []
        rows = np.concatenate([side.members(c) for c in [cluster, *merged]])
        return rows[np.lexsort((rows, side.distance[rows]))] if merged else rows

    def home(self, modality: str, row: int) -> int:
        """Blocks. The cluster of a grounding before any merging."""
        return int(self.side(modality).assignment[row])

    def is_split(self, modality: str, row: int, cluster: int) -> bool:
        """Whether a member was split off."""
        curation = self.curation.get(modality)
        if curation is None:
            return False
        return any(row in curation.excluded(c) for c in [cluster, *curation.merged(cluster)])

    def member(self, row: int) -> Member:
        """Blocks. A grounding."""
        pair = self.run.groundings.of_row(row)
        at = row - pair.first
        start, end = (int(v) for v in pair.segment[at])
        x0, y0, x1, y1 = (float(v) for v in pair.box[at])
        label = self.label(row)
        if label is None and self.media.words_are_few:
            label = spoken(self.media.words(pair.id), start, end)
        score, silence = float(pair.score[at]), float(pair.silence[at])
        return Member(row, pair.id, start, end, (x0, y0, x1, y1), score, silence, pair.frames, label)

    def central(self, modality: str, cluster: int) -> Member:
        """Blocks. The most central member of a cluster; BadInput where it has none."""
        rows = self.side(modality).members(cluster, 1)
        if not len(rows):
            raise BadInput(f"cluster {LETTER[modality]}{cluster} has no members")
        return self.member(int(rows[0]))

    def pair_members(self, row: int) -> tuple[list[Member], int]:
        """Blocks. All groundings of a grounding's pair, best first, and where this one stands among them."""
        pair = self.run.groundings.of_row(row)
        return [self.member(pair.first + i) for i in range(len(pair))], row - pair.first

    def first_of_pair(self, id: str) -> Member:
        """Blocks. The best grounding of a pair; BadInput where it has none."""
        if id not in self.run.groundings or not len(pair := self.run.groundings.of_pair(id)):
            raise BadInput(
                f"{id}: was not grounded; `avterm ground` reads the splits {self.run.config.grounding.splits}"
            )
        return self.member(pair.first)

    def whole(self, id: str) -> Member:
        """Blocks. A whole caption, to be played; BadInput where the corpus has no such pair."""
        pair = self.media.pair(id)
        frames = units.frames_in_samples(len(self.media.sound(pair.id)))
        return Member(-1, pair.id, 0, frames, (0.0, 0.0, 1.0, 1.0), 0.0, 0.0, frames, pair.text)

    def find(self) -> Searcher:
        """What embeds new sounds and pictures; StoreError where the run has no model."""
        if self._searcher is None:
            if self.searcher is None:
                raise StoreError(f"{self.run.path}: no model to search with")
            self._searcher = self.searcher()
        return self._searcher

    @property
    def searched(self) -> bool:
        """Whether there was a search already."""
        return self._searcher is not None

    def knows_words(self) -> bool:
        """Blocks. Whether segments may have words: they were evaluated, or word times lie beside the corpus."""
        return labels_fingerprint(self.run) is not None or self.media.words_are_few

    def label(self, row: int) -> str | None:
        """Blocks. The words of a segment, where they were evaluated."""
        if self._labels is None:
            try:
                self._labels = Labels(self.run)
            except StoreError:
                return None
        return self._labels[row] if row < len(self._labels) else None

    def count_speakers(self) -> dict[int, int]:
        """Blocks. How many speakers each cluster of segments has; nothing where the corpus names none, or where the
        run is so large that reading it through is left to `avterm evaluate`."""
        groundings, side = self.run.groundings, self.clusters.speech
        if len(groundings) > FEW_ROWS:
            return {}
        corpus = self.run.corpus
        names = [corpus[id].speaker if id in corpus.index else None for id in groundings.ids]
        number = {name: i for i, name in enumerate(sorted({n for n in names if n is not None}))}
        of_pair = np.array([-1 if name is None else number[name] for name in names], np.int64)
        speaker = of_pair[groundings.pair_of(np.arange(len(groundings)))]
        found = np.unique(np.stack([side.assignment, speaker])[:, speaker >= 0], axis=1)
        clusters, counts = np.unique(found[0], return_counts=True)
        return dict(zip(clusters.tolist(), counts.tolist(), strict=True))

    def nearest(self, modality: str, cluster: int, limit: int = 12) -> list[tuple[int, float]]:
        """Blocks. Clusters with the nearest centroids, and how far away (squared) they are."""
        side = self.side(modality)
        centroids = side.centroid.astype(np.float64)
        gaps = ((centroids - centroids[cluster]) ** 2).sum(axis=1)
        gaps[(side.size == 0) | ~np.isfinite(gaps)] = np.inf
        gaps[cluster] = np.inf
        if modality == "speech" and self.clusters.noise is not None:
            gaps[self.clusters.noise] = np.inf
        order = np.argsort(gaps, kind="stable")[:limit]
        return [(int(c), float(gaps[c])) for c in order if np.isfinite(gaps[c])]

    def linked(self, modality: str, cluster: int, limit: int = 12) -> list[tuple[int, float]]:
        """Blocks. Clusters of the other modality with the highest affinity (Equation 2), and that affinity."""
        affinity = self.clusters.affinity[:, cluster] if modality == "speech" else self.clusters.affinity[cluster]
        order = np.argsort(-affinity, kind="stable")
        if modality == "image" and self.clusters.noise is not None:
            order = order[order != self.clusters.noise]
        return [(int(c), float(affinity[c])) for c in order[:limit] if affinity[c] > 0]

    def crops(self, modality: str, cluster: int, limit: int = 9) -> list[tuple[np.ndarray, Member]]:
        """Blocks. The pictures of the most central members whose picture can be read, with the member."""
        found = []
        for row in self.side(modality).members(cluster, 2 * limit):
            member = self.member(int(row))
            try:
                found.append((self.media.picture(member.id), member))
            except (AvtermError, OSError):
                continue
            if len(found) == limit:
                break
        return found

    def player(self) -> Player:
        """Blocks the first time. What plays."""
        if self._player is None:
            self._player = self.sound.player()
        return self._player

    def recorder(self) -> Recorder:
        """Blocks the first time. What records."""
        if self._recorder is None:
            self._recorder = self.sound.recorder()
        return self._recorder

    def hush(self) -> None:
        """Stop whatever plays."""
        if self._player is not None:
            self._player.stop()

    def close(self) -> None:
        """Let go of devices; every decision made is on disk when this returns."""
        if self._player is not None:
            self._player.close()
        if self._searcher is not None:
            self._searcher.close()
        self.writer.shutdown(wait=True)

    @property
    def clips(self) -> Path:
        """Where segments are written to as WAV files."""
        return self.run.path / "clips"


def described(edit: Edit) -> str:
    """An edit in a few words, for messages and lists."""
    what = {
        "name": f"name “{edit.value}”" if edit.value else "name taken away",
        "state": edit.value,
        "note": "note" if edit.value else "note taken away",
        "merge": f"merged into {edit.into}" if edit.into >= 0 else "taken out of a merge",
        "split": "member split off",
        "restore": "member put back",
    }[edit.kind]
    return f"{LETTER[edit.modality]}{edit.cluster}: {what}"
