"""The rows of the clusters' table: what is known of each cluster, in any order, filtered by what is typed."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from avterm.store.clusters import NOISE, Clusters
from avterm.store.curation import Curation

GLYPHS = {"new": "·", "accepted": "✓", "rejected": "✗"}
STYLES = {"new": "dim", "accepted": "green", "rejected": "red"}


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """A cluster in the table. None: not known (no transcript was evaluated); NaN: no members."""

    cluster: int
    variance: float
    size: int
    label: str | None
    purity: float | None
    coverage: float | None
    speakers: int | None
    linked: int
    affinity: float
    state: str
    name: str | None
    note: str | None
    merged_into: int | None

    @property
    def title(self) -> str:
        """The name, or the label, or nothing."""
        return self.name or self.label or ""


COLUMNS: dict[str, tuple[str, int, bool]] = {  # key: title, width, whether large values come first
    "cluster": ("#", 4, False),
    "state": ("State", 5, False),
    "name": ("Name", 8, False),
    "variance": ("Var", 6, False),
    "size": ("Size", 6, True),
    "label": ("Label", 9, False),
    "purity": ("Purity", 6, True),
    "coverage": ("Cover", 5, True),
    "speakers": ("Spk", 3, True),
    "linked": ("Image", 6, False),
    "affinity": ("Affinity", 8, True),
}
EVALUATED = ("label", "purity", "coverage", "speakers")


def build_rows(clusters: Clusters, modality: str, evaluation: dict[str, Any] | None, curation: Curation | None,
               other: Curation | None = None, speakers: dict[int, int] | None = None) -> list[ClusterRow]:  # fmt: skip
    """A row for every cluster of a modality. For crops, the label is that of the most affine cluster of segments.

    `other` is the curation of the other modality: the name of the linked cluster stands in for a label. `speakers`: how
    many each cluster of segments has, where that was counted aside.
    """
    side = getattr(clusters, modality)
    speech = modality == "speech"
    affinity = clusters.affinity if speech else clusters.affinity.T  # (of the other, of this)
    linked = clusters.image_of_speech if speech else clusters.speech_of_image
    known = _by_cluster(evaluation)
    counted = speakers or {}
    rows = []
    for number in range(len(side)):
        link = int(linked[number])
        facts = known.get(number if speech else link, {})
        label = _text(facts.get("label"))
        if speech and number == clusters.noise:
            label = NOISE
        if not speech and other is not None:
            label = other.name(link) or label
        rows.append(
            ClusterRow(
                cluster=number,
                variance=float(side.variance[number]),
                size=int(side.size[number]),
                label=label,
                purity=_number(facts.get("purity")) if speech else None,
                coverage=_number(facts.get("coverage")) if speech else None,
                speakers=_whole(facts.get("speakers", counted.get(number))) if speech else None,
                linked=link,
                affinity=float(affinity[link, number]),
                state=curation.state(number) if curation else "new",
                name=curation.name(number) if curation else None,
                note=curation.note(number) if curation else None,
                merged_into=curation.merged_into(number) if curation else None,
            )
        )
    return rows


def columns_of(rows: Sequence[ClusterRow]) -> list[str]:
    """The columns that say something about these rows, in order."""
    return [c for c in COLUMNS if c not in EVALUATED or any(getattr(row, c) is not None for row in rows)]


def sort_rows(rows: Sequence[ClusterRow], column: str, falling: bool) -> list[ClusterRow]:
    """By a column; unknown values last whichever way, ties by the cluster's number."""

    def known(row: ClusterRow) -> bool:
        value = getattr(row, column)
        return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))

    def key(row: ClusterRow) -> Any:
        value = getattr(row, column)
        return value.casefold() if isinstance(value, str) else value

    ordered = sorted((r for r in rows if known(r)), key=lambda r: r.cluster)
    ordered.sort(key=key, reverse=falling)
    return ordered + sorted((r for r in rows if not known(r)), key=lambda r: r.cluster)


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le, "=": operator.eq,
}  # fmt: skip
_TERM = re.compile(r"([a-z]+)(>=|<=|>|<|=)(-?[0-9.]+)")


def filter_rows(rows: Sequence[ClusterRow], query: str) -> list[ClusterRow]:
    """Rows that match every term: `size>100`, `state:accepted`, `#12`, or text in the label, name, note or state."""
    terms = [_term(word) for word in query.casefold().split()]
    return [row for row in rows if all(term(row) for term in terms)]


def _term(word: str) -> Callable[[ClusterRow], bool]:
    compared = _TERM.fullmatch(word)
    if compared and compared[1] in COLUMNS:
        try:
            limit = float(compared[3])
        except ValueError:
            return lambda row: True  # still being typed
        compare, column = _COMPARE[compared[2]], compared[1]
        return lambda row: isinstance(v := getattr(row, column), int | float) and compare(v, limit)
    column, colon, text = word.partition(":")
    if colon and column in ("state", "name", "label", "note"):
        return lambda row: text in str(getattr(row, column) or "").casefold()
    if word.startswith("#") and word[1:].isdigit():
        return lambda row: row.cluster == int(word[1:])
    return lambda row: any(word in text.casefold() for text in (row.label, row.name, row.note, row.state) if text)


def cells(row: ClusterRow, columns: Sequence[str], modality: str = "speech") -> list[str | tuple[str, str]]:
    """The row as cells of the table."""
    out: list[str | tuple[str, str]] = []
    for column in columns:
        value = getattr(row, column)
        if column == "state":
            merged = row.merged_into is not None
            out.append((f"→ {row.merged_into}", "magenta") if merged else (GLYPHS[row.state], STYLES[row.state]))
        elif column == "name":
            out.append((f"{value or ''}{' ✎' if row.note else ''}", "bold"))
        elif value is None or (isinstance(value, float) and math.isnan(value)):
            out.append(("–", "dim"))
        elif column == "linked":
            out.append(("I" if modality == "speech" else "S") + str(value))
        elif column in ("purity", "coverage", "variance"):
            out.append(f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}")
        elif column == "affinity":
            out.append(f"{value:.1f}" if abs(value) < 1e6 else f"{value:.3g}")
        else:
            out.append(f"{value:,}" if column == "size" else str(value))
    return out


def _by_cluster(evaluation: dict[str, Any] | None) -> dict[int, dict[str, Any]]:
    listed = evaluation.get("clusters") if isinstance(evaluation, dict) else None
    if not isinstance(listed, list):
        return {}
    return {r["cluster"]: r for r in listed if isinstance(r, dict) and isinstance(r.get("cluster"), int)}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float | np.floating) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None
