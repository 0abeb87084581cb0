"""Opening a run, or beginning one."""

from __future__ import annotations

from pathlib import Path

from avterm.config import Overrides, override, resolve, to_tables
from avterm.errors import StoreError, UsageError
from avterm.store.run import Run


def run_for(
    path: Path,
    corpus: Path | None,
    preset: str | None,
    config_file: Path | None,
    overrides: Overrides,
    features: Path | None = None,
) -> Run:
    """The run at `path`; begun with this corpus and these settings where there is none.

    An existing run keeps its corpus and its settings: other ones are refused with the choice spelled out. Settings
    that only later stages use (grounding, clustering, evaluation) may change at any time.
    """
    if not (path / "run.toml").exists():
        if corpus is None:
            raise UsageError(f"{path}: no run here; give --corpus CORPUS (and --preset) to begin one")
        return Run.create(path, corpus, resolve(preset, config_file, overrides), features)
    run = Run.open(path)
    if corpus is not None:
        asked = corpus / "corpus.jsonl" if corpus.is_dir() else corpus
        if asked.resolve() != run.corpus_path.resolve():
            raise StoreError(f"{path}: is a run on {run.corpus_path}, not on {asked}; begin another run for it")
    if features is not None and features.resolve() != run.features_path.resolve():
        raise StoreError(f"{path}: reads its features from {run.features_path}, not from {features}")
    wanted = (
        resolve(preset, config_file, overrides) if preset or config_file else override(run.config, overrides, "--set")
    )
    return with_settings(run, wanted)


def with_settings(run: Run, wanted: object) -> Run:
    """`run` with these settings; StoreError where they differ in what its features or its model were made from."""
    from avterm.config import Config

    if not isinstance(wanted, Config) or wanted == run.config:
        return run
    stages = {"speech": "features", "vision": "features", "model": "train", "training": "train"}
    old, new = to_tables(run.config), to_tables(wanted)
    for stage, made in stages.items():
        changed = [k for k in old[stage] if old[stage][k] != new[stage][k]]
        begun = run.stage(made) is not None or (made == "train" and (run.path / "checkpoints").exists())
        if changed and begun:
            key = changed[0]
            raise StoreError(
                f"{run.path}: was made with {stage}.{key} = {old[stage][key]!r}, not {new[stage][key]!r}; "
                f"begin another run (--features {run.features_path} shares its features), or delete this one"
            )
    run.config = wanted
    run.save()
    return run
