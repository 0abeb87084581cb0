"""Curation as it applies to the clusters of one k: names, states, notes, merges and members split off.

Edits made on exactly these clusters apply by number. Edits made on others (another seed, another k, groundings made
again) are carried over by their anchors: to the cluster that now holds most of them, if that is at least half of all
anchors. Where both speak about a cluster, the edit made on exactly these clusters wins.

>>> curation = read_curation(run, 50)                # doctest: +SKIP
>>> curation.name(3), curation.state(3), curation.merged_into(3), curation.excluded(3)   # doctest: +SKIP
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from avterm.errors import UsageError
from avterm.store.clusters import Clusters, Modality
from avterm.store.groundings import Groundings
from avterm.store.journal import Anchor, Edit, History, Journal
from avterm.store.run import Run

ANCHORS = 24  # most central members that name a cluster
HELD = 0.5  # of an edit's anchors must lie in one cluster for it to be carried there
SAME = 0.5  # interval IOU from which a segment counts as the anchor's


def curation_path(run: Run | Path | str) -> Path:
    """Where a run keeps its journal."""
    return (run.path if isinstance(run, Run) else Path(run)) / "curation.jsonl"


def read_curation(run: Run | Path | str, k: int | None = None, modality: str = "speech") -> Curation:
    """The curation of a run's clusters of this k (None: those made last). Empty where nobody curated.

    Raises StoreError where the run or its clusters are missing.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    return Curation(run, run.clusters(k), Journal(curation_path(run)).history(), modality)


class Curation:
    """Decisions about the clusters of one k and modality; cluster numbers and rows as in the stores."""

    def __init__(self, run: Run, clusters: Clusters, history: History, modality: str = "speech") -> None:
        """Apply the edits in force. Stores are read only for edits that were made on other clusters."""
        self.history = history
        self.modality = modality
        self.unplaced: list[Edit] = []  # edits whose cluster is not among these
        self._names: dict[int, str] = {}
        self._states: dict[int, str] = {}
        self._notes: dict[int, str] = {}
        self._into: dict[int, int] = {}
        self._excluded: dict[int, set[int]] = {}
        mine = [edit for edit in history.done if edit.modality == modality]
        direct = [edit for edit in mine if edit.clusters == clusters.fingerprint and edit.k == _k(clusters, modality)]
        others = {edit.uid for edit in mine} - {edit.uid for edit in direct}
        if others:
            place = _Places(run, getattr(clusters, modality), clusters.noise if modality == "speech" else None)
            for edit in mine:
                if edit.uid in others:
                    self._carry(edit, place)
        for edit in direct:
            self._apply(edit)

    def name(self, cluster: int) -> str | None:
        """The name that somebody gave the cluster."""
        return self._names.get(cluster)

    def state(self, cluster: int) -> str:
        """`new`, `accepted` or `rejected`."""
        return self._states.get(cluster, "new")

    def note(self, cluster: int) -> str | None:
        """The note on the cluster."""
        return self._notes.get(cluster)

    def merged_into(self, cluster: int) -> int | None:
        """The cluster that this one now belongs to, through any chain of merges; None where it stands alone."""
        seen = {cluster}
        while (into := self._into.get(cluster)) is not None and into not in seen:
            seen.add(into)
            cluster = into
        return cluster if len(seen) > 1 else None

    def merged(self, cluster: int) -> list[int]:
        """The clusters that were merged into this one, directly or not, in order."""
        return sorted(c for c in self._into if self.merged_into(c) == cluster)

    def excluded(self, cluster: int) -> set[int]:
        """Rows of the groundings that were split off from the cluster."""
        return set(self._excluded.get(cluster, ()))

    def members(self, clusters: Modality, cluster: int) -> np.ndarray:
        """int64: the cluster's rows after curation: its own and those of clusters merged into it, centre outwards
        by their distance to their own centroid, less those split off. Empty where it was merged into another."""
        if self.merged_into(cluster) is not None:
            return np.empty(0, np.int64)
        parts = []
        for part in [cluster, *self.merged(cluster)]:
            rows = clusters.members(part)
            out = self._excluded.get(part)
            parts.append(rows[~np.isin(rows, list(out))] if out else rows)
        rows = np.concatenate(parts)
        if len(parts) > 1:
            rows = rows[np.lexsort((rows, clusters.distance[rows]))]
        return rows

    def touched(self) -> list[int]:
        """Every cluster that has a name, state, note, merge or split, in order."""
        states = {c for c, state in self._states.items() if state != "new"}
        return sorted({*self._names, *states, *self._notes, *self._into, *self._excluded, *self._into.values()})

    def _carry(self, edit: Edit, place: _Places) -> None:
        cluster = place.cluster(edit.anchors, edit.groundings)
        changes: dict[str, object] = {"cluster": cluster}
        if edit.kind == "merge" and edit.into >= 0:
            changes["into"] = place.cluster(edit.into_anchors, edit.groundings)
            if changes["into"] == cluster:
                return  # clustering put them together by itself
        if edit.member is not None:
            row = place.row(edit.member, edit.groundings)
            if row is not None and cluster is not None and place.clusters.assignment[row] != cluster:
                return  # clustering took it out by itself
            changes["member"] = None if row is None else replace(edit.member, row=row)
        if None in changes.values():
            self.unplaced.append(edit)
            return
        self._apply(replace(edit, **changes))  # type: ignore[arg-type]

    def _apply(self, edit: Edit) -> None:
        cluster = edit.cluster
        if edit.kind in ("name", "note", "state"):
            table = {"name": self._names, "note": self._notes, "state": self._states}[edit.kind]
            if edit.value:
                table[cluster] = edit.value
            else:
                table.pop(cluster, None)
        elif edit.kind == "merge":
            self._into.pop(cluster, None)
            if edit.into >= 0 and edit.into != cluster and self.merged_into(edit.into) != cluster:
                self._into[cluster] = edit.into
        elif edit.member is not None:
            rows = self._excluded.setdefault(cluster, set())
            (rows.add if edit.kind == "split" else rows.discard)(edit.member.row)
            if not rows:
                del self._excluded[cluster]


class _Places:
    """Where anchors lie now."""

    def __init__(self, run: Run, clusters: Modality, noise: int | None) -> None:
        self.groundings: Groundings = run.groundings
        self.clusters, self.noise = clusters, noise
        self._cache: dict[tuple[Anchor, str], int | None] = {}

    def row(self, anchor: Anchor, fingerprint: str) -> int | None:
        """The row of the grounding that the anchor names; None where none is like it."""
        key = (anchor, fingerprint)
        if key not in self._cache:
            self._cache[key] = self._find(anchor, fingerprint)
        return self._cache[key]

    def cluster(self, anchors: Sequence[Anchor], fingerprint: str) -> int | None:
        """The cluster that holds most of the anchors and at least the share HELD of them; the lower number in a tie.

        Never that of noise: what was decided about a word does not hold for what is left over.
        """
        rows = [row for anchor in anchors if (row := self.row(anchor, fingerprint)) is not None]
        if not rows:
            return None
        votes = Counter(int(c) for c in self.clusters.assignment[np.asarray(rows)])
        cluster, count = min(votes.items(), key=lambda item: (-item[1], item[0]))
        return cluster if count >= HELD * len(anchors) and cluster != self.noise else None

    def _find(self, anchor: Anchor, fingerprint: str) -> int | None:
        if fingerprint == self.groundings.fingerprint:
            return anchor.row if 0 <= anchor.row < len(self.groundings) else None
        if anchor.id not in self.groundings:
            return None
        pair = self.groundings.of_pair(anchor.id)
        if not len(pair):
            return None
        start, end = pair.segment[:, 0], pair.segment[:, 1]
        shared = np.clip(np.minimum(end, anchor.end) - np.maximum(start, anchor.start), 0, None)
        union = (end - start) + (anchor.end - anchor.start) - shared
        iou = shared / np.maximum(union, 1)
        best = int(np.argmax(iou))
        return pair.first + best if iou[best] >= SAME else None


def anchor_of(groundings: Groundings, row: int) -> Anchor:
    """The anchor that names a grounding."""
    pair = groundings.of_row(row)
    start, end = (int(v) for v in pair.segment[row - pair.first])
    return Anchor(pair.id, start, end, row)


def make_edit(
    run: Run, clusters: Clusters, modality: str, kind: str, cluster: int, *, value: str = "", into: int = -1,
    member: int | None = None,
) -> Edit:  # fmt: skip
    """An edit of one of these clusters, with its anchors; `member` is a row. Append it to the run's Journal.

    UsageError where clusters are merged with that of noise.
    """
    if kind == "merge" and modality == "speech" and into >= 0 and clusters.noise in (cluster, into):
        raise UsageError(f"cluster {clusters.noise} holds what was left over as noise and cannot be merged")
    side: Modality = getattr(clusters, modality)

    def anchors(number: int) -> tuple[Anchor, ...]:
        return tuple(anchor_of(run.groundings, int(row)) for row in side.members(number, ANCHORS))

    return Edit(
        kind=kind,
        cluster=cluster,
        k=_k(clusters, modality),
        modality=modality,
        value=value,
        into=into,
        into_anchors=anchors(into) if into >= 0 else (),
        member=None if member is None else anchor_of(run.groundings, member),
        anchors=anchors(cluster),
        clusters=clusters.fingerprint,
        groundings=run.groundings.fingerprint,
    )


def _k(clusters: Clusters, modality: str) -> int:
    return len(getattr(clusters, modality))
