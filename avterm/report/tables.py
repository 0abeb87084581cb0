"""Tables of the page: Table 1 from retrieval, Tables 3 and 4 from the evaluation; Table 2 is in each cluster's view."""

from __future__ import annotations

import math
from typing import Any

from avterm.report.source import Source
from avterm.store.evaluation import read_evaluation

Json = dict[str, Any]
LOWEST = 50  # clusters of Table 3


def table_values(source: Source) -> list[Json]:
    """The tables that the run has figures for: title, caption, columns [name, digits, or None for text], rows."""
    made = [_retrieval(source), _lowest(source), _by_k(source), _located(source), _overall(source)]
    return [table for table in made if table is not None]


def _retrieval(source: Source) -> Json | None:
    done = source.run.stage("retrieve")
    summary = done["summary"] if done else {}
    rows = []
    for way in ("search", "annotation"):
        found = summary.get(way)
        if isinstance(found, dict):
            rows.append([way, *(_number(found.get(key)) for key in ("r1", "r5", "r10", "median_rank"))])
    if not rows:
        return None
    caption = (
        f"Recall among {summary.get('pairs')} captions and {summary.get('pictures')} pictures of the split "
        f"{summary.get('split')}. Search: a caption finds its picture; annotation: a picture finds its caption."
    )
    columns = [["", None], ["R@1", 3], ["R@5", 3], ["R@10", 3], ["median rank", 1]]
    return {"title": "Table 1: retrieval", "caption": caption, "columns": columns, "rows": rows}


def _lowest(source: Source) -> Json | None:
    facts = [f for f in source.standing() if f.size > 1][:LOWEST]
    if not facts:
        return None
    columns = [["cluster", "id"], ["label", None], ["|Cc|", 0], ["|Ci|", 0], ["purity", 3], ["variance", 3]]
    rows = [[f.cluster, f.title, f.size, f.image_size, f.purity, f.variance, f.coverage] for f in facts]
    return {
        "title": f"Table 3: the {len(facts)} speech clusters of lowest variance",
        "caption": "|Cc|: members of the speech cluster; |Ci|: of the image cluster that it links to.",
        "columns": [*columns, ["coverage", 3]],
        "rows": rows,
    }


def _by_k(source: Source) -> Json | None:
    """Table 4: a row for every k that was evaluated and every limit of the variance."""
    rows = []
    for k in source.run.ks:
        pruned = (read_evaluation(source.run, k) or {}).get("pruned")
        for row in pruned if isinstance(pruned, list) else []:
            limit = _number(row.get("variance_below"))
            known = [_number(row.get(key)) for key in ("clusters", "points", "purity", "labels", "coverage")]
            rows.append([k, "all" if limit is None else f"below {limit:g}", *known])
    if not rows:
        return None
    return {
        "title": "Table 4: clusters by k and variance",
        "caption": "Purity is weighted by size; coverage is the mean over the distinct labels.",
        "columns": [
            *(["k", 0], ["variance", None], ["clusters", 0], ["points", 0]),
            *(["purity", 3], ["labels", 0], ["coverage", 3]),
        ],
        "rows": rows,
    }


def _located(source: Source) -> Json | None:
    """Where true boxes are known: how often the box of a word's segment points at the thing, and how well it fits."""
    words = ((source.evaluation or {}).get("overall") or {}).get("by_word")
    if not isinstance(words, dict) or not words:
        return None
    keys = ("count", "pointing", "iou")
    rows = [[word, *(_number(found.get(key)) for key in keys)] for word, found in words.items()]
    return {
        "title": "Localisation by word",
        "caption": "Pointing: the middle of the grounded box lies inside the word's true box. IOU: of the two boxes.",
        "columns": [["word", None], ["groundings", 0], ["pointing", 3], ["mean IOU", 3]],
        "rows": sorted(rows, key=lambda row: -(row[1] or 0)),
    }


def _overall(source: Source) -> Json | None:
    """Everything else that the evaluation says of the clustering as a whole."""
    overall = (source.evaluation or {}).get("overall")
    if not isinstance(overall, dict):
        return None
    figures = {key: value for key, value in overall.items() if key != "by_word"}
    rows = [[name, value] for name, value in _flat(figures) if value is not None]
    if not rows:
        return None
    return {
        "title": "The evaluation in figures",
        "caption": f"All of k = {source.k}; intervals are bootstrapped.",
        "columns": [["measure", None], ["value", "auto"]],
        "rows": rows,
    }


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, float | str | None]]:
    rows: list[tuple[str, float | str | None]] = []
    for key, value in values.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, dict):
            rows += _flat(value, f"{name}: ")
        elif isinstance(value, list) and len(value) == 2 and all(_number(v) is not None for v in value):
            rows.append((name, f"{value[0]:.4g} – {value[1]:.4g}"))
        elif isinstance(value, str):
            rows.append((name, value))
        else:
            rows.append((name, _number(value)))
    return rows


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None
