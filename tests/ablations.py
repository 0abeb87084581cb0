"""`python -m tests.ablations TABLE CORPUS FOLDER`: the rows of docs/model.md, each trained with several seeds.

Every row is one change to a preset: its runs lie in FOLDER and go on where they were cut off, so that a row may be
added, or a seed, without computing the others again. One thread a run, so that the figures do not depend on how many
there are. Prints a Markdown table: mean and spread (half of highest minus lowest) over the seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

MEASURES = ("search", "annotation", "purity", "pointing", "iou", "boundaries", "words")
FEWEST, PUREST = 10, 0.5  # members and purity of a cluster that counts as a word found
LATER = ("grounding.", "clustering.")  # settings after training: such rows take over the first row's model


@dataclass(frozen=True)
class Table:
    """A preset, how many clusters, and the changes that make its rows."""

    preset: str
    k: int
    rows: dict[str, tuple[str, ...]]


TABLES: dict[str, Table] = {
    "modern": Table(
        "modern",
        50,
        {
            "as it is": (),
            "head level 1": ("model.head_level=1.0",),
            "head level .1": ("model.head_level=0.1",),
            "the head alone (level 100)": ("model.head_level=100.0",),
            "the middle depths alone (level .001)": ("model.head_level=0.001",),
            "plain means": ("model.similarity=mean",),
            "SIMA": ("model.similarity=sima",),
            "MISA and SIMA": ("model.similarity=both",),
            "frames and cells not normalised": ("model.normalise_speech=false", "model.normalise_image=false"),
            "no batch normalisation": ("model.batch_norm=false",),
            "the paper's speech branch": ("model.speech_branch=harwath2017",),
            "width 1/8": ("model.width=0.125",),
            "width 1/2": ("model.width=0.5",),
            "mel bands not scaled": ("model.scale_mels=false",),
            "half the cells at each step": ("training.cells=0.5",),
            "a quarter of the cells at each step": ("training.cells=0.25",),
            "8 epochs": ("training.epochs=8",),
            "30 epochs": ("training.epochs=30",),
            "plain means for two epochs": ("training.mean_epochs=2",),
            "start temperature .2": ("training.temperature=0.2",),
            "a margin of .1": ("training.margin=0.1",),
            "dropout .1, averaged weights": ("model.dropout=0.1", "training.average=0.99"),
            "weight decay .1": ("training.weight_decay=0.1",),
            "batches of 32": ("training.batch=32",),
            "batches of 128": ("training.batch=128",),
            "Equation 1's loss": ("training.loss=impostor", "training.margin=0.2"),
            "the paper's borders": ("grounding.borders=grid",),
            "the paper's cut-off": ("grounding.min_relative=0.5",),
            "spherical k-means": ("clustering.method=spherical",),
        },
    ),
    "scenes": Table(
        "scenes",
        50,
        {
            "as it is": (),
            "0.5 s are heard at a time": ("model.filters=[1,11,7,5,1]",),
            "1.2 s are heard at a time": ("model.filters=[1,11,17,9,5]",),
            "2.5 s are heard at a time": ("model.filters=[]",),
            "no channels of the pictures dropped": ("model.image_dropout=0.0",),
            "weights not averaged": ("training.average=0.0",),
            "the backbone's head at level 1": ("model.head_level=1.0",),
            "MISA": ("model.similarity=misa",),
            "the modern speech branch": ("model.speech_branch=modern", "model.filters=[]"),
            "start temperature .07": ("training.temperature=0.07",),
            "width 1/2": ("model.width=0.5",),
            "batches of 64": ("training.batch=64",),
        },
    ),
    "captions": Table(
        "captions",
        200,
        {
            "as it is": (),
            "2.5 s are heard at a time": ("model.filters=[]",),
            "no channels of the pictures dropped": ("model.image_dropout=0.0",),
            "weights not averaged": ("training.average=0.0",),
            "clustered by embeddings, not by sound": ("clustering.sound=false",),
            "no noise": ("clustering.noise=0.0",),
            "neither": ("clustering.sound=false", "clustering.noise=0.0"),
            "spherical k-means": ("clustering.method=spherical",),
            "above .9 of the top score, .3 noise": ("grounding.min_relative=0.9", "clustering.noise=0.3"),
            "borders at .8 of the peak": ("grounding.border_height=0.8",),
            "borders at .5 of the peak": ("grounding.border_height=0.5",),
            "segments of 50 to 100 frames": (
                "grounding.segment_step=10",
                "grounding.segment_min=50",
                "grounding.segment_max=100",
            ),
        },
    ),
    "demo": Table(
        "demo",
        84,
        {
            "as it is": (),
            "matched from the first epoch": ("training.mean_epochs=0",),
            "matched from the first epoch, every cell, 11 epochs": (
                "training.mean_epochs=0",
                "training.cells=1.0",
                "training.epochs=11",
            ),
            "matched from the first epoch, head level .3": ("training.mean_epochs=0", "model.head_level=0.3"),
        },
    ),
}


@dataclass(frozen=True)
class Job:
    """One run: a row and a seed."""

    table: Table
    row: str
    seed: int
    corpus: Path
    folder: Path
    epochs: int | None = None

    @property
    def path(self) -> Path:
        """Its run's folder."""
        name = "".join(c if c.isalnum() else "-" for c in self.row)
        return self.folder / f"{name}-{self.seed}"

    def __call__(self) -> dict[str, float]:
        """Train, retrieve, ground, cluster, evaluate; what was done before is there. Returns the measures."""
        later = [s for s in self.table.rows[self.row] if s.startswith(LATER)]
        settings = [part for s in self.table.rows[self.row] if s not in later for part in ("--set", s)]
        first = replace(self, row="as it is")
        if later and not self.path.exists():
            first()
            shutil.copytree(
                first.path, self.path, ignore=shutil.ignore_patterns("groundings", "clusters", "evaluation")
            )
        if not later:
            self._avterm(
                "train", "--corpus", self.corpus, "--features", self.folder / "features", "--preset", self.table.preset,
                "--seed", self.seed, *(["--epochs", self.epochs] if self.epochs else []), *settings,
            )  # fmt: skip
        recall = json.loads(self._avterm("retrieve", "--json"))
        stages = [(s.split(".")[0], ("--set", s)) for s in later]
        for name, options in (("ground", ()), ("cluster", ("-k", self.table.k, "--top", 0))):
            changed = [part for stage, pair in stages for part in pair if stage.startswith(name)]
            self._avterm(name, *options, *changed, *(["--redo"] if later else []))
        found = json.loads(self._avterm("evaluate", "--json"))
        clusters = json.loads((self.path / "evaluation" / f"k{self.table.k:05d}.json").read_text())["clusters"]
        recalled = {"search": recall["search"]["r10"], "annotation": recall["annotation"]["r10"]}
        return {**recalled, **found, "words": len(words(clusters))}

    def _avterm(self, command: str, *options: object) -> str:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        line = [sys.executable, "-m", "avterm", command, str(self.path), *map(str, options)]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(line)}: {done.stderr.strip().splitlines()[-1]}")
        return done.stdout


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.ablations", description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--row", action="append", help="Only this row; repeatable.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="Instead of the preset's.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    table = TABLES[asked.table]
    rows = [row for row in table.rows if not asked.row or row in asked.row or not table.rows[row]]
    first = Job(table, "as it is", 1, asked.corpus, asked.folder, asked.epochs)
    jobs = [replace(first, row=row, seed=1 + seed) for row in rows for seed in range(asked.seeds)]
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = [job() for job in jobs[:1]]  # makes the features, once
        found += pool.map(Job.__call__, jobs[1 : asked.seeds])  # the first row, whose models others take over
        found += pool.map(Job.__call__, jobs[asked.seeds :])
    sys.stdout.write("\n".join(lines(rows, asked.seeds, found)) + "\n")


def words(clusters: list[dict[str, Any]]) -> set[str]:
    """The content words that were found: each the one word outside scikit-learn's English stop words in the label of a
    cluster of at least FEWEST members and purity PUREST."""
    pure = [c for c in clusters if c["size"] >= FEWEST and (c.get("purity") or 0) >= PUREST]
    content = [[w for w in c["label"].split() if w not in ENGLISH_STOP_WORDS and w[0] != "("] for c in pure]
    return {label[0] for label in content if len(label) == 1}


def lines(rows: list[str], seeds: int, found: list[dict[str, float]]) -> Iterator[str]:
    """The Markdown table of the measures of `seeds` runs a row, in order."""
    shown = [m for m in MEASURES if any(m in f for f in found)]
    yield "| | " + " | ".join(shown) + " |"
    yield "|---" * (len(shown) + 1) + "|"
    for i, row in enumerate(rows):
        runs = found[i * seeds : (i + 1) * seeds]
        yield f"| {row} | " + " | ".join(_cell([r[m] for r in runs if m in r]) for m in shown) + " |"


def _cell(values: list[float]) -> str:
    return f"{sum(values) / len(values):.3f} ± {(max(values) - min(values)) / 2:.3f}" if values else ""


if __name__ == "__main__":
    main()
