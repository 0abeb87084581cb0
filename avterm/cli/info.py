"""`avterm info`: what a run holds and what is still to do."""

from __future__ import annotations

import typer

from avterm.cli.common import JsonOption, RunArgument, emit, say

STAGES = ("features", "train", "retrieve", "ground", "cluster", "evaluate")


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(info)


def info(run: RunArgument, json: JsonOption = False) -> None:
    """List a run's corpus, its finished stages with their figures, and every k that was clustered."""
    from avterm.store.run import Run

    opened = Run.open(run)
    stages = {name: opened.stage(name) for name in STAGES}
    summaries = {name: done["summary"] if done else None for name, done in stages.items()}
    value = {"run": str(run), "corpus": str(opened.corpus_path), "pairs": len(opened.corpus), "k": opened.ks}
    if json:
        emit({**value, "stages": summaries})
        return
    say(f"{run}: {value['pairs']} pairs of {value['corpus']}")
    for name, summary in summaries.items():
        if summary is None:
            say(f"{name:10}not done")
            continue
        plain = {k: v for k, v in summary.items() if isinstance(v, int | float | str)}
        say(f"{name:10}" + ", ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in plain.items()))
    say(f"clustered with k = {', '.join(map(str, opened.ks)) or 'nothing yet'}")
