"""`avterm train`: features where they are missing, then training, resumable at any moment."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from avterm.cli.common import (
    DeviceOption,
    JsonOption,
    RedoOption,
    RunArgument,
    SetOption,
    StrictOption,
    emit,
    finish,
    overrides,
    reporter,
    say,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(train)


class Stop:
    """Remembers the first SIGINT or SIGTERM, so that training stops between two steps with its state saved."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __bool__(self) -> bool:
        return self.asked


def train(
    run: RunArgument,
    corpus: Annotated[Path | None, typer.Option(help="The corpus of a new run.")] = None,
    preset: Annotated[str | None, typer.Option(help="paper, modern or demo.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    features: Annotated[Path | None, typer.Option(help="Features computed elsewhere, or to be shared.")] = None,
    epochs: Annotated[int | None, typer.Option(help="How often to go through the training split.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs in a minibatch.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the weights, the order and all that is drawn.")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without better recall.")] = None,
    settings: SetOption = None,
    device: DeviceOption = "auto",
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Train the two branches to agree. Ctrl-C stops after the current step; the same command goes on from there."""
    from avterm.cli.runs import run_for
    from avterm.engine.features import compute_features
    from avterm.errors import AvtermError
    from avterm.store.lock import locked
    from avterm.training.loop import train as stage

    named = {"epochs": epochs, "batch": batch, "seed": seed, "patience": patience}
    opened = run_for(run, corpus, preset, config, overrides(settings, training=named), features, retrain=redo)
    progress = reporter()
    speech, vision = opened.config.speech, opened.config.vision
    with locked(opened.path):
        found = compute_features(opened.corpus, opened.features_path, speech, vision, progress)
        stop = Stop()
        summary = stage(opened, progress, device, lambda: bool(stop), redo)
    finish(found.left_out, strict, len(opened.corpus))
    if not summary.get("finished", True):
        raise AvtermError(f"stopped after epoch {summary['epochs']}; the same command goes on from here")
    if json:
        emit(summary)
        return
    say(f"trained {summary['epochs']} epochs on {summary['pairs']} pairs; best: epoch {summary['best_epoch']}")
    if "search_r10" in summary:
        say(f"validation R@10: search {summary['search_r10']:.3f}, annotation {summary['annotation_r10']:.3f}")
    say(f"next: avterm ground {run}")
