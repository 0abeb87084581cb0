"""Made-up runs for the report's tests: plain, evaluated, and one whose every string is an attack."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from avterm.corpus.manifest import Corpus
from avterm.store.run import Run
from avterm.store.shards import Header, write_shard
from tests.synthetic import WORDS, make_run

HOSTILE = (
    "</script><script>window.hacked=1;alert(1)</script>",
    "<img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "javascript:window.hacked=1",
    "$\\frac{1}{0}$ \u202eevil\u202c \x1b[31m \u2028",
    "<!--<script>\U0001f600 ]]>",
)

OVERALL = {
    "purity": 0.75,
    "purity_interval": [0.7, 0.8],
    "variance_purity_correlation": None,
    "by_word": {
        "boat": {"count": 3, "pointing": 1.0, "iou": 0.5},
        "castle": {"count": 9, "pointing": 0.5, "iou": 0.25},
    },
}
PRUNED = [
    {"k": 6, "variance_below": limit, "clusters": 6, "points": 48, "purity": 0.75, "labels": 6, "coverage": 0.5}
    for limit in (None, 0.9)
]


def evaluate(run: Run, labels: tuple[str, ...] = WORDS) -> None:
    """Write the evaluation that `avterm evaluate` would, with these labels for the clusters."""
    clusters = run.clusters()
    k, size = len(clusters.speech), clusters.speech.size.tolist()
    facts = [
        {
            "cluster": c,
            "label": labels[c % len(labels)],
            "size": size[c],
            "purity": 1 - 0.1 * c,
            "variance": float(clusters.speech.variance[c]) if size[c] else None,
            "coverage": 0.5,
            "image_cluster": int(clusters.image_of_speech[c]),
            "image_size": int(clusters.image.size[clusters.image_of_speech[c]]),
            "affinity": float(clusters.affinity[:, c].max()),
            "speakers": 3,
        }
        for c in range(k)
    ]
    folder = run.path / "evaluation"
    folder.mkdir(exist_ok=True)
    (folder / f"k{k:05d}.json").write_text(json.dumps({"overall": OVERALL, "pruned": PRUNED, "clusters": facts}))
    rows = [labels[int(c) % len(labels)] for c in clusters.speech.assignment]
    write_shard(folder / "labels.h5", Header("labels", len(rows), run.groundings.fingerprint, {}), {"label": rows})


def evaluated(folder: Path, **options: object) -> Run:
    """A run with pictures, sounds, an evaluation and two epochs of metrics."""
    run = make_run(folder, **options)  # type: ignore[arg-type]
    evaluate(run)
    lines = [{"epoch": e, "loss": 2.0 / e, "search_r10": 0.1 * e, "annotation_r10": 0.09 * e} for e in (1, 2)]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Run.open(run.path)


def hostile(folder: Path) -> Run:
    """A run whose labels, speakers, transcripts and word times are attempts at injection."""
    run = make_run(folder)
    evaluate(run, HOSTILE)
    corpus = run.corpus
    pairs = [replace(p, text=HOSTILE[i % 6], speaker=HOSTILE[(i + 1) % 6]) for i, p in enumerate(corpus)]
    Corpus(corpus.path, pairs).save()
    words = [{"id": p.id, "words": [{"word": HOSTILE[0], "start": 0.2, "end": 0.6}]} for p in pairs]
    corpus.words_path.write_text("".join(json.dumps(w) + "\n" for w in words))
    return Run.open(run.path)
