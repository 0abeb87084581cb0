"""`avterm features`: what training reads, computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avterm.cli.common import (
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
    share,
)
from avterm.cli.engines import AddressOption, CpusOption, EngineOption, GpusOption, Where, WorkersOption, engine_for


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(features)


def features(
    run: RunArgument,
    corpus: Annotated[Path | None, typer.Option(help="The corpus of a new run.")] = None,
    preset: Annotated[str | None, typer.Option(help="paper (the default), modern, scenes, captions or demo.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    folder: Annotated[Path | None, typer.Option("--features", help="Keep the features here, for several runs.")] = None,
    vad: Annotated[str | None, typer.Option(help="silero, energy or none.")] = None,
    backbone: Annotated[str | None, typer.Option(help="vgg16 or efficientnet-lite0.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Only every N-th shard, from I (0 … N-1).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    engine: EngineOption = Where.threads,
    workers: WorkersOption = None,
    address: AddressOption = None,
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
    settings: SetOption = None,
    redo: RedoOption = False,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Compute what training reads of recordings and pictures, once.

    Log-mel frames, voice activity, and the frozen backbone's output. Goes on where it was cut off.
    """
    from contextlib import nullcontext

    from avterm.cli.runs import run_for
    from avterm.engine.features import compute_features
    from avterm.store.lock import locked
    from avterm.training.device import choose_device

    part = share(shard)
    if engine is not Where.ray:  # there the device is a worker's matter
        choose_device(device)
    named = overrides(settings, speech={"vad": vad}, vision={"backbone": backbone})
    opened = run_for(run, corpus, preset, config, named, folder, redo)
    speech, vision = opened.config.speech, opened.config.vision
    with (
        locked(opened.path) if part is None else nullcontext(),  # shares of the shards run side by side
        engine_for(engine, workers, address, cpus, gpus) as where,
    ):
        found = compute_features(
            opened.corpus, opened.features_path, speech, vision, reporter(), part, device, redo, where
        )
        if part is None:
            opened.finish("features", opened.corpus.fingerprint, found.as_dict())
    finish(found.left_out, strict, len(opened.corpus))
    if json:
        emit({**found.as_dict(), "made": found.made, "kept": found.kept})
        return
    say(f"features of {found.pairs} captions, {found.pictures} pictures ({found.made} shards made, {found.kept} there)")
    say(f"next: avterm train {run}" if part is None else f"when all shares are made: avterm merge {run}")
