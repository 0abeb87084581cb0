"""What lies in a run besides shards and weights: settings, summaries, curation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np

from avterm.errors import AvtermError
from avterm.store.curation import curation_path, make_edit, read_curation
from avterm.store.evaluation import read_evaluation
from avterm.store.features import IMAGES, SPEECH, write_features
from avterm.store.features import shard_path as feature_path
from avterm.store.groundings import MODALITIES
from avterm.store.journal import Journal, to_record
from avterm.store.run import Run
from avterm.store.shards import Header, write_shard
from tests.robust.mutations import damaged_json, damaged_text
from tests.robust.small import SETTINGS
from tests.robust.targets import Target
from tests.robust.targets_media import NOT_FILES
from tests.synthetic import make_run

K = 3


def made_run(folder: Path) -> Run:
    """A run of six pairs with features, groundings, clusters, labels, an evaluation and curation; no media."""
    run = make_run(folder, pairs=6, k=K, dimensions=4, per_pair=2, media=False)
    rng = np.random.default_rng(0)
    ids = [pair.id for pair in run.corpus]
    lengths = np.full(len(ids), 20)
    speech = {
        "id": ids,
        "offset": np.concatenate([[0], np.cumsum(lengths)]),
        "active": np.ones(120, np.uint8),
        "mel": rng.normal(size=(120, 40)).astype(np.float16),
    }
    write_features(feature_path(run.features_path, SPEECH, 0), SPEECH, "x", speech, [])
    images = {
        "image": [pair.image for pair in run.corpus],
        "size": np.full((6, 2), 30, np.int32),
        "backbone": rng.normal(size=(6, 2, 2, 8)).astype(np.float16),
    }
    write_features(feature_path(run.features_path, IMAGES, 0), IMAGES, "y", images, [])
    labels = run.path / "evaluation" / "labels.h5"
    write_shard(labels, Header("labels", 12, "z", {}), {"label": ["a", "(silence)"] * 6})
    facts = [{"cluster": c, "label": "a", "size": 4, "purity": 0.5, "variance": 0.1, "coverage": 0.5} for c in range(K)]
    (run.path / "evaluation" / f"k{K:05d}.json").write_text(json.dumps({"overall": {"purity": 0.5}, "clusters": facts}))
    edits = [make_edit(run, run.clusters(K), "speech", "name", c, value=f"n{c}") for c in range(K)]
    edits += [make_edit(run, run.clusters(K), "speech", "merge", 0, into=1)]
    edits += [make_edit(run, run.clusters(K), "speech", "split", 2, member=int(run.clusters(K).speech.members(2)[0]))]
    Journal(curation_path(run)).append(edits)
    return Run.open(run.path)


class InRun(Target):
    """A file of a run, damaged in its place; the rest of the run is whole."""

    also: ClassVar[tuple[type[BaseException], ...]] = (OSError,)  # the command line's one line for what a disk refuses

    def make(self) -> None:
        """Make the run."""
        self.run = made_run(self.folder / "seed")
        self.fill()

    def fill(self) -> None:
        """Fill `seeds` with files of the run by their path in it, and `by_hand`."""
        raise NotImplementedError

    def take(self, *patterns: str) -> None:
        """Make seeds of the run's files."""
        for pattern in patterns:
            for path in sorted(self.run.path.glob(pattern)):
                self.seeds[str(path.relative_to(self.run.path))] = path.read_bytes()

    def at(self, name: str) -> Path:
        """In a copy of the run, of which this file is missing."""
        home = self.folder / "seed" / "copy"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.run.path, home)
        path = home / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def clear(self, path: Path) -> None:
        """The copy goes when the next is made."""

    @property
    def copy(self) -> Run:
        """The copy, opened."""
        return Run.open(self.folder / "seed" / "copy")


class Settings(InRun):
    """run.toml, and the stages' and the evaluation's JSON."""

    damage = staticmethod(damaged_text)

    def fill(self) -> None:
        """The run's own, and settings that cannot be meant."""
        self.take("run.toml", "stages/*.json", "evaluation/*.json", "../corpus/settings.toml")
        head = b'[run]\nversion = "0"\ncorpus = "../corpus/corpus.jsonl"\nfeatures = "features"\n'
        self.by_hand = (
            [
                ("run.toml", head + b"[config]\n" + bad)
                for bad in (
                    b"model = 3\n",
                    b"model = {width = nan}\n",
                    b"model = {width = inf}\n",
                    b"x = " + b"[" * 5000,
                    b"training = {epochs = %s}\n" % (b"9" * 5000),
                    b"training = {epochs = %s}\n" % (b"9" * 30),
                    b"grounding = {splits = [%s]}\n" % (b'"train",' * 1000),
                    b"clustering = {k = true}\n",
                )
            ]
            + [
                ("run.toml", b"[run]\ncorpus = " + bad)
                for bad in (
                    b'"\\u0000"\n',
                    b'"%s"\n' % (b"x" * 9000),
                    b'"/etc/passwd"\n',
                    b'"/dev/zero"\n',
                    b'""\n',
                    b"[]\n",
                    b'"../corpus/corpus.jsonl"\nfeatures = "\\u0000"\n',
                    b'"\\u001b[2J"\n',
                    b'"."\nfeatures = 3\n',
                )
            ]
            + [("run.toml", SETTINGS.encode()), ("run.toml", b"config = 3\n" + head), ("run.toml", b"run = 3\n")]
        )
        self.by_hand += [
            (name, make) for make in NOT_FILES for name in ("run.toml", "stages/cluster.json", "evaluation/k00003.json")
        ]
        self.by_hand += [
            ("stages/cluster.json", text) for text in (b"{}", b'{"fingerprint": 1, "summary": {}}', b"[" * 9000)
        ]

    def read(self, path: Path) -> list[str] | None:
        """Open it, and read what the stages said."""
        run = self.copy
        for name in ("features", "train", "ground", "cluster", "evaluate"):
            run.stage(name)
        _ = run.corpus, run.ks, read_evaluation(run, K)
        try:
            run.clusters()
        except AvtermError as error:
            return [str(error)]
        return None


class Decisions(InRun):
    """curation.jsonl, and what `avterm curate import` reads."""

    damage = staticmethod(damaged_json)

    def fill(self) -> None:
        """A journal, and lines that are none."""
        self.take("curation.jsonl")
        edit = to_record(Journal(curation_path(self.run)).history().done[0])
        bad = (
            {"cluster": 10**400},
            {"k": -1},
            {"time": float("nan")},
            {"anchors": [["a", 10**30, 1, 1]]},
            {"into": 10**30},
            {"value": "\x1b[2J\u202e\0"},
            {"kind": "merge", "into": 0},
            {"member": ["a", 0, 1, 10**9], "kind": "split"},
            {"groundings": "other", "clusters": "other", "anchors": [["pair 0", -5, 2**30, -7]]},
        )
        lines = [json.dumps({**edit, "uid": f"u{i}", **change}).encode() + b"\n" for i, change in enumerate(bad)]
        deep = [b"[" * 100_000, b'{"kind":' * 50_000, b"9" * 5000 + b"\n", b'{"kind": "undo"}\n' * 5]
        self.by_hand = [("curation.jsonl", text) for text in (*lines, b"".join(lines), *deep)]
        self.by_hand += [("curation.jsonl", make) for make in NOT_FILES]

    def read(self, path: Path) -> list[str] | None:
        """Apply it, change it, take that back."""
        run = self.copy
        for modality in MODALITIES:
            curation = read_curation(run, K, modality)
            side = getattr(run.clusters(K), modality)
            for number in range(K):
                _ = curation.name(number), curation.merged_into(number), curation.members(side, number)
            _ = curation.touched(), curation.unplaced
        journal = Journal(path)
        journal.append([make_edit(run, run.clusters(K), "speech", "note", 0, value="x")])
        if journal.history().done[-1].value != "x":
            raise ValueError("an edit was lost")
        journal.undo()
        return None
