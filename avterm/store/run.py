"""A run: a folder that holds what was computed for a corpus, and how.

run.toml            version, corpus, and the resolved configuration
stages/NAME.json    fingerprint and summary of each finished stage
features/ checkpoints/ groundings/ clusters/ evaluation/   the stores
metrics.jsonl, tensorboard/, curation.jsonl
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli_w

from avterm.config import Config, override, read_toml, to_tables
from avterm.corpus.manifest import Corpus
from avterm.errors import StoreError
from avterm.store.atomic import read_json, write_json, write_text
from avterm.store.clusters import Clusters, clusters_path
from avterm.store.features import FeatureStore
from avterm.store.groundings import Groundings

VERSION = "0.1.0"


class Run:
    """A run opened by its path; everything in it is read when first asked for.

    >>> run = Run.open("demo/run")                     # doctest: +SKIP
    >>> run.corpus, run.features, run.groundings       # doctest: +SKIP
    >>> run.clusters(50).speech.members(3)             # doctest: +SKIP
    """

    def __init__(self, path: Path, corpus_path: Path, features_path: Path, config: Config) -> None:
        """Use `Run.open` or `Run.create`."""
        self.path = Path(path)
        self.corpus_path = Path(corpus_path)
        self.features_path = Path(features_path)
        self.config = config

    @classmethod
    def create(cls, path: str | Path, corpus: str | Path, config: Config, features: str | Path | None = None) -> Run:
        """Begin a run for a corpus. Features may lie elsewhere, to be shared by several runs."""
        path = Path(path)
        if (path / "run.toml").exists():
            raise StoreError(f"{path}: holds a run already; open it, or give another path")
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path}: expected a folder or nothing, found a file")
        corpus_path = Path(corpus)
        if corpus_path.is_dir():
            corpus_path = corpus_path / "corpus.jsonl"
        run = cls(path, corpus_path, Path(features) if features else path / "features", config)
        run.save()
        return run

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open a run; StoreError says what is missing."""
        path = Path(path)
        if not (path / "run.toml").is_file():
            raise StoreError(
                f"{path}: no run here (it has no run.toml); start one with `avterm train {path} --corpus CORPUS`"
            )
        tables = read_toml(path / "run.toml")
        head = tables.get("run")
        if not isinstance(head, dict) or not isinstance(head.get("corpus"), str):
            raise StoreError(f"{path / 'run.toml'}: expected [run] with a corpus, found {head!r}")
        config = override(Config(), tables.get("config", {}), str(path / "run.toml"))
        features = head.get("features", "features")
        return cls(path, path / head["corpus"], path / str(features), config)

    def save(self) -> None:
        """Write run.toml. Paths are kept relative to the run, so that run and corpus may move together."""
        head = {
            "version": VERSION,
            "corpus": self._relative(self.corpus_path),
            "features": self._relative(self.features_path),
        }
        write_text(self.path / "run.toml", tomli_w.dumps({"run": head, "config": to_tables(self.config)}))

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus that the run was started on."""
        return Corpus.load(self.corpus_path)

    @cached_property
    def features(self) -> FeatureStore:
        """Log-mel frames, activity and backbone output."""
        return FeatureStore(self.features_path)

    @cached_property
    def groundings(self) -> Groundings:
        """Segments and boxes that belong together."""
        return Groundings(self.path / "groundings")

    @property
    def ks(self) -> list[int]:
        """Every k that was clustered."""
        return sorted(int(p.stem[1:]) for p in (self.path / "clusters").glob("k?????.h5"))

    def clusters(self, k: int | None = None) -> Clusters:
        """The clusters of this k; without one, those made last."""
        if k is None:
            done = self.stage("cluster")
            if done is None:
                raise StoreError(f"{self.path}: no clusters here; make them with `avterm cluster {self.path} -k K`")
            k = done["summary"].get("k")
            if not isinstance(k, int) or not 0 < k < 100_000:
                raise StoreError(f"{self.path}: 'cluster' finished with k = {k!r:.40}; run `avterm cluster` again")
        return Clusters(clusters_path(self.path / "clusters", k))

    def stage(self, name: str) -> dict[str, Any] | None:
        """{"fingerprint", "summary"} of a finished stage; None where it has not finished."""
        path = self.path / "stages" / f"{name}.json"
        if not path.exists():
            return None
        done = read_json(path)
        if not isinstance(done, dict) or "fingerprint" not in done or not isinstance(done.get("summary"), dict):
            raise StoreError(f"{path}: expected a stage's fingerprint and summary; delete it and run the stage again")
        return done

    def finish(self, name: str, fingerprint: str, summary: dict[str, Any]) -> None:
        """Record that a stage is done, what it was made from, and its summary."""
        write_json(self.path / "stages" / f"{name}.json", {"fingerprint": fingerprint, "summary": summary})

    def unfinish(self, name: str) -> None:
        """Forget that a stage was done: its inputs are about to change."""
        (self.path / "stages" / f"{name}.json").unlink(missing_ok=True)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(Path(path).resolve(), self.path.resolve())
