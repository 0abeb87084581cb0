"""`avterm info`: what a run holds and what is still to do."""

from __future__ import annotations

from typing import Any

import typer

from avterm.cli.common import JsonOption, RunArgument, emit, first_of, say

STAGES = ("features", "train", "retrieve", "ground", "cluster", "evaluate")


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(info)


def info(run: RunArgument, json: JsonOption = False) -> None:
    """What a run holds, and what is still to do.

    Its corpus, its stages with their figures or their missing shards, and every k that was clustered.
    """
    from avterm.retrieval.queries import shown
    from avterm.store.expected import feature_parts, grounding_parts, missing
    from avterm.store.run import Run

    opened = Run.open(run)
    stages = {name: opened.stage(name) for name in STAGES}
    summaries = {name: done["summary"] if done else None for name, done in stages.items()}
    value = {"run": str(run), "corpus": shown(opened.corpus_path), "pairs": len(opened.corpus), "k": opened.ks}
    shards: dict[str, dict[str, Any]] = {}
    for name, parts in (("features", feature_parts(opened)), ("ground", grounding_parts(opened))):
        lost = [part.name for part in missing(parts)]
        if len(lost) < len(parts):  # begun
            shards[name] = {"of": len(parts), "missing": lost}
    if json:
        emit({**value, "stages": summaries, "shards": shards})
        return
    say(f"{run}: {value['pairs']} pairs of {value['corpus']}")
    for name, summary in summaries.items():
        if (some := shards.get(name)) and (some["missing"] or summary is None):
            lost = some["missing"]
            state = (
                f"{len(lost)} of {some['of']} shards missing: {first_of(lost)}"
                if lost
                else f"all {some['of']} shards there"
            )
            say(f"{name:10}{state}")
            continue
        if summary is None:
            say(f"{name:10}not done")
            continue
        plain = {k: v for k, v in summary.items() if isinstance(v, int | float | str)}
        say(f"{name:10}" + ", ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in plain.items()))
    say(f"clustered with k = {', '.join(map(str, opened.ks)) or 'nothing yet'}")
