"""`avterm train`: features where they are missing, then training, resumable at any moment."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from avterm.training.world import World


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(train)


class Stop:
    """Remembers the first SIGINT or SIGTERM, so that training stops between two steps with its state saved.

    A second one interrupts at once, unless `patient`: torchrun may pass on what the terminal has sent already, and
    has its own time limit.
    """

    def __init__(self, patient: bool = False) -> None:
        self.asked, self.patient = False, patient
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked and not self.patient:
            raise KeyboardInterrupt
        self.asked = True

    def __bool__(self) -> bool:
        return self.asked


def train(
    run: RunArgument,
    corpus: Annotated[Path | None, typer.Option(help="The corpus of a new run.")] = None,
    preset: Annotated[str | None, typer.Option(help="paper (the default), modern, scenes, captions or demo.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    features: Annotated[Path | None, typer.Option(help="Features computed elsewhere, or to be shared.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often to go through the training split.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs in a minibatch.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the weights, the order and all that is drawn.")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without better recall.")] = None,
    settings: SetOption = None,
    device: DeviceOption = "auto",
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Train the two branches to agree. Ctrl-C stops after the current step; the same command goes on from there.

    Several processes share each minibatch: torchrun --nproc-per-node N -m avterm train RUN …
    """
    from avterm.cli.runs import run_for
    from avterm.engine.features import compute_features
    from avterm.errors import AvtermError
    from avterm.store.lock import locked
    from avterm.training.device import choose_device
    from avterm.training.loop import train as stage
    from avterm.training.world import joined

    named = {"epochs": epochs, "batch": batch, "seed": seed, "patience": patience}
    with joined(choose_device(device).type == "cuda") as world:
        if not world.first:
            summary = _follow(run, device, redo, world)
            raise typer.Exit(0 if summary.get("finished", True) else 1)
        opened = run_for(run, corpus, preset, config, overrides(settings, training=named), features, retrain=redo)
        progress = reporter()
        speech, vision = opened.config.speech, opened.config.vision
        with locked(opened.path):
            found = compute_features(opened.corpus, opened.features_path, speech, vision, progress)
            stop = Stop(patient=world.size > 1)
            world.wait()  # the others may open the run now
            summary = stage(opened, progress, device, lambda: bool(stop), redo, world)
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


def _follow(run: Path, device: str, redo: bool, world: World) -> dict[str, Any]:
    """What every process but the first does: wait for the run and its features, then train along, in silence."""
    from avterm.progress import Silent
    from avterm.store.run import Run
    from avterm.training.loop import train as stage

    stop = Stop(patient=True)
    world.wait()
    return stage(Run.open(run), Silent(), device, lambda: bool(stop), redo, world)
