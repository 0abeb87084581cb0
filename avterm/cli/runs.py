"""Opening a run, or beginning one."""

from __future__ import annotations

from pathlib import Path

from avterm.config import Config, Overrides, override, resolve, to_tables
from avterm.corpus.manifest import Corpus
from avterm.errors import AvtermError, Problem, StoreError, UsageError
from avterm.progress import Progress
from avterm.store.run import Run

_MADE_BY = {"speech": "features", "vision": "features", "model": "train", "training": "train"}


def run_for(
    path: Path,
    corpus: Path | None,
    preset: str | None,
    config_file: Path | None,
    overrides: Overrides,
    features: Path | None = None,
    redo: bool = False,
    retrain: bool = False,
) -> Run:
    """The run at `path`; begun with this corpus and these settings where there is none.

    An existing run keeps its corpus and its settings: other ones are refused with the choice spelled out. Settings
    that only later stages use (grounding, clustering, evaluation) may change at any time; with `redo`, so may those of
    features from which nothing was trained yet, and with `retrain` those of the model, which is then to be trained
    afresh. BadInput where the corpus of a new run cannot be read: nothing is begun then.
    """
    if not (path / "run.toml").exists():
        if corpus is None:
            raise UsageError(f"{path}: no run here; give --corpus CORPUS (and --preset) to begin one")
        settings = resolve(preset, config_file, overrides)
        if not len(Corpus.load(corpus)):
            raise StoreError(f"{corpus}: holds no pairs; nothing to learn from")
        return Run.create(path, corpus, settings, features)
    run = Run.open(path)
    if corpus is not None:
        asked = corpus / "corpus.jsonl" if corpus.is_dir() else corpus
        if asked.resolve() != run.corpus_path.resolve():
            raise StoreError(f"{path}: is a run on {run.corpus_path}, not on {asked}; begin another run for it")
    if features is not None and features.resolve() != run.features_path.resolve():
        raise StoreError(f"{path}: reads its features from {run.features_path}, not from {features}")
    begun_anew = preset or config_file
    wanted = resolve(preset, config_file, overrides) if begun_anew else override(run.config, overrides, "--set")
    return with_settings(run, wanted, redo, retrain=retrain)


def with_settings(run: Run, wanted: Config, redo: bool = False, save: bool = True, retrain: bool = False) -> Run:
    """`run` with these settings; StoreError where they differ in what its features or its model were made from.

    Without `save` they are not written down: for a stage that may yet refuse them and writes them down itself.
    """
    if wanted == run.config:
        return run
    trained = (run.path / "checkpoints").exists() or run.stage("train") is not None
    featured = trained or (run.stage("features") is not None and not redo)
    old, new = to_tables(run.config), to_tables(wanted)
    for stage, made_by in _MADE_BY.items():
        changed = [k for k in old[stage] if old[stage][k] != new[stage][k]]
        if changed and (trained and not retrain if made_by == "train" else featured):
            key = changed[0]
            again = "train with --redo to replace the model, " if made_by == "train" else ""
            raise StoreError(
                f"{run.path}: was made with {stage}.{key} = {old[stage][key]!r}, not {new[stage][key]!r}; "
                f"{again}begin another run (--features {run.features_path} shares its features), or delete this one"
            )
    run.config = wanted
    if save:
        run.save()
    return run


def grounded(run: Run, ids: list[str], progress: Progress) -> tuple[list[str], list[Problem]]:
    """Those of `ids` that have groundings, as asked for; the others are named with their reason, and given back.

    AvtermError where not one has any.
    """
    store = run.groundings
    known = [id for id in ids if id in store]
    reasons = {p.id: p for p in store.left_out()} if len(known) < len(ids) else {}
    unknown = [
        reasons.get(id) or Problem(id, "unknown-id", "not a pair of the grounded splits")
        for id in ids
        if id not in store
    ]
    if not known:
        more = f" (nor have {len(ids) - 1} more ids)" if len(ids) > 1 else ""
        raise AvtermError(f"{unknown[0].id}: has no groundings in {run.path}: {unknown[0].message}{more}")
    for problem in unknown:
        progress.problem(problem)
    return known, unknown
