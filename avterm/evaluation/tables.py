"""Tables 1 to 4 of the paper, from a run's evaluation, as rows; and the paper's own figures to set beside them."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from avterm.errors import StoreError, UsageError, printable
from avterm.store.evaluation import Labels, read_evaluation
from avterm.store.run import Run

Row = dict[str, Any]
FORMATS = ("text", "csv", "json", "latex")

# Section 5, Table 1 and Table 4 (all clusters with variance below 0.9, and below 0.65).
PAPER_TABLE_1: list[Row] = [
    {"model": "paper: 2016 baseline", "search R@1": 0.090, "search R@5": 0.261, "search R@10": 0.372,
     "annotation R@1": 0.098, "annotation R@5": 0.266, "annotation R@10": 0.352},
    {"model": "paper: 2017", "search R@1": 0.112, "search R@5": 0.312, "search R@10": 0.431,
     "annotation R@1": 0.120, "annotation R@5": 0.307, "annotation R@10": 0.438},
]  # fmt: skip
_TABLE_4 = (
    (250, 0.9, 249, 1_081_514, 0.364, 149, 0.423), (250, 0.65, 128, 548_866, 0.575, 108, 0.463),
    (500, 0.9, 499, 1_097_225, 0.396, 242, 0.332), (500, 0.65, 278, 623_159, 0.591, 196, 0.375),
    (1000, 0.9, 999, 1_103_391, 0.411, 373, 0.336), (1000, 0.65, 622, 710_081, 0.568, 318, 0.382),
    (2000, 0.9, 1992, 1_106_418, 0.431, 540, 0.237), (2000, 0.65, 1354, 790_492, 0.546, 484, 0.271),
)  # fmt: skip
PAPER_TABLE_4: list[Row] = [
    dict(
        zip(
            ("k", "variance below", "clusters", "points", "purity", "labels", "coverage", "of"),
            (*r, "paper"),
            strict=True,
        )
    )
    for r in _TABLE_4
]


def table_1(run: Run, paper: bool = False) -> list[Row]:
    """Retrieval recall; needs `avterm retrieve` first."""
    done = run.stage("retrieve")
    if done is None:
        raise StoreError(f"{run.path}: no retrieval recall here; compute it with `avterm retrieve {run.path}`")
    summary = done["summary"]
    row: Row = {"model": f"this run ({summary['pairs']} pairs)"}
    for way in ("search", "annotation"):
        row |= {f"{way} R@{n}": summary[way][f"r{n}"] for n in (1, 5, 10)}
    return ([*PAPER_TABLE_1] if paper else []) + [row]


def table_2(run: Run, k: int, cluster: int) -> list[Row]:
    """The labels of one cluster's members, most frequent first."""
    labels, clusters = Labels(run), run.clusters(k)
    if not 0 <= cluster < len(clusters.speech):
        raise UsageError(f"--cluster {cluster}: expected 0 to {len(clusters.speech) - 1}")
    members = clusters.speech.members(cluster)
    counts = Counter(labels[int(row)] for row in members)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"label": label, "count": n, "share": n / len(members)} for label, n in order]


def table_3(run: Run, k: int, limit: int = 50) -> list[Row]:
    """The clusters of lowest variance: label, sizes, purity, variance, coverage; last those of one member, whose
    variance of 0 says nothing."""
    found = _evaluation(run, k)
    clusters = [c for c in found["clusters"] if c["variance"] is not None]
    clusters.sort(key=lambda c: (c["size"] < 2, c["variance"], c["cluster"]))
    return [
        {
            "cluster": c["cluster"],
            "label": c.get("label", "-"),
            "|Cc|": c["size"],
            "|Ci|": c["image_size"],
            "purity": c.get("purity"),
            "variance": c["variance"],
            "coverage": c.get("coverage"),
        }
        for c in clusters[:limit]
    ]


def table_4(run: Run, ks: Sequence[int], paper: bool = False) -> list[Row]:
    """For each k and each pruning by variance: clusters, points, purity, distinct labels, coverage."""
    rows = [*PAPER_TABLE_4] if paper else []
    for k in ks:
        for pruned in _evaluation(run, k)["pruned"]:
            below = pruned["variance_below"]
            row = {"k": k, "variance below": "-" if below is None else below}
            row |= {key: pruned[key] for key in ("clusters", "points", "purity", "labels", "coverage")}
            rows.append(row | ({"of": "this run"} if paper else {}))
    return rows


def render(rows: Sequence[Row], format: str = "text") -> str:
    """Rows with the same keys as aligned text, CSV, JSON lines or a LaTeX tabular; ends in a newline.

    Labels come from elsewhere: in text they are made printable, in LaTeX its own characters are escaped too.
    """
    if format not in FORMATS:
        raise UsageError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    if format == "json":
        return "".join(json.dumps({k: _plain(v) for k, v in row.items()}, ensure_ascii=False) + "\n" for row in rows)
    keys = list(rows[0]) if rows else []
    if format == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(keys)
        writer.writerows([[_plain(row.get(k)) for k in keys] for row in rows])
        return buffer.getvalue()
    cells = [[_cell(row.get(k)) for k in keys] for row in rows]
    if format == "latex":
        lines = [" & ".join(map(_tex, line)) + r" \\" for line in [keys, *cells]]
        body = "\n".join([lines[0], r"\midrule", *lines[1:]]) if lines else ""
        return f"\\begin{{tabular}}{{{'l' * len(keys)}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"
    widths = [max(_width(line[i]) for line in [keys, *cells]) for i in range(len(keys))]
    right = _right(rows, keys)
    aligned = ("  ".join(map(_pad, line, widths, right)).rstrip() for line in [keys, *cells])
    return "".join(f"{line}\n" for line in aligned)


def _evaluation(run: Run, k: int) -> dict[str, Any]:
    found = read_evaluation(run, k)
    if found is None:
        raise StoreError(f"{run.path}: clusters of k = {k} were not evaluated; run `avterm evaluate {run.path} -k {k}`")
    return found


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))


def _right(rows: Sequence[Row], keys: list[str]) -> list[bool]:
    return [all(not isinstance(row.get(k), str) or row.get(k) == "-" for row in rows) for k in keys]


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Columns of a terminal: two for East Asian wide characters, none for marks over or under another."""
    marks, wide = {"Mn", "Me"}, {"W", "F"}
    return sum(0 if unicodedata.category(c) in marks else 1 + (unicodedata.east_asian_width(c) in wide) for c in text)


_TEX = {character: f"\\{character}" for character in "&%$#_{}"}
_TEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"}
_ESCAPED = str.maketrans(_TEX)


def _tex(text: str) -> str:
    return text.translate(_ESCAPED)
