"""`avterm cluster`: speech clusters, image clusters, and the links between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli.common import JsonOption, RedoOption, RunArgument, SetOption, emit, overrides, reporter, say
from avterm.cli.engines import AddressOption, CpusOption, EngineOption, Where, WorkersOption, engine_for
from avterm.errors import UsageError

if TYPE_CHECKING:
    from avterm.clustering.stage import ClusterSummary
    from avterm.store.run import Run


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(cluster)


def cluster(
    run: RunArgument,
    k: Annotated[list[str], typer.Option("-k", "--k", help="How many; repeatable; auto chooses without labels.")],
    k_image: Annotated[int | None, typer.Option(help="How many image clusters; as many as -k if not given.")] = None,
    method: Annotated[str | None, typer.Option(help="kmeans (the paper's) or spherical.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the start.")] = None,
    top: Annotated[int, typer.Option(help="Print so many clusters, lowest variance first.")] = 20,
    engine: EngineOption = Where.threads,
    workers: WorkersOption = None,
    address: AddressOption = None,
    cpus: CpusOption = 1.0,
    settings: SetOption = None,
    redo: RedoOption = False,
    json: JsonOption = False,
) -> None:
    """Cluster segments and crops, and link them by affinity.

    Each with k-means (section 4); affinity is Equation 2.
    """
    import dataclasses

    from avterm.cli.runs import with_settings
    from avterm.clustering.choice import choose_k
    from avterm.clustering.stage import cluster as stage
    from avterm.config import override
    from avterm.store.groundings import SOUND
    from avterm.store.lock import locked
    from avterm.store.run import Run

    bad = [text for text in k if text != "auto" and not (text.isdigit() and 1 <= int(text) < 100_000)]
    if bad:
        raise UsageError(f"-k {bad[0]}: expected a number from 1 to 99999, or auto")
    opened = Run.open(run)
    named = overrides(settings, clustering={"k_image": k_image, "method": method, "seed": seed})
    progress = reporter()
    with locked(opened.path), engine_for(engine, workers, address, cpus) as where:
        opened = with_settings(opened, override(opened.config, named, "the command line"), save=False)
        config, count = opened.config.clustering, len(opened.groundings)
        _refuse_more_than(
            count, {"-k": max((int(text) for text in k if text != "auto"), default=0), "--k-image": config.k_image or 0}
        )
        heard = opened.groundings.embeddings(SOUND if config.sound else "speech")
        for text in k:
            wanted = (
                choose_k(heard, config.seed, spherical=config.method == "spherical", noise=config.noise)
                if text == "auto"
                else int(text)
            )
            summary = stage(opened, dataclasses.replace(config, k=wanted), progress, redo, where)
    rows = _rows(opened, summary.k)
    if json:
        for row in rows:
            emit(row)
        return
    _print(summary, rows[:top])
    say(f"next: avterm evaluate {run}, or avterm browse {run}")


def _print(summary: ClusterSummary, rows: list[dict[str, Any]]) -> None:
    """What was clustered, and a line for each of these clusters."""
    state = "already there" if summary.already else f"{summary.seconds:.1f} s"
    state += f", {summary.noise} segments left to cluster {summary.k - 1} as noise" if summary.noise else ""
    say(f"{summary.groundings} groundings in {summary.k} speech and {summary.k_image} image clusters ({state})")
    say(f"{'cluster':>7} {'size':>7} {'variance':>9} {'image':>6} {'size':>7} {'affinity':>10}  mutual")
    for row in rows:
        variance = "-" if row["variance"] is None else f"{row['variance']:.4f}"
        say(
            f"{row['cluster']:7} {row['size']:7} {variance:>9} {row['image_cluster']:6} {row['image_size']:7} "
            f"{row['affinity']:10.2f}  {'yes' if row['mutual'] else ''}"
        )


def _refuse_more_than(count: int, asked: dict[str, int]) -> None:
    """UsageError where there would be more clusters than groundings; a fair number has some twenty members in each."""
    for name, k in asked.items():
        if k > count:
            raise UsageError(
                f"{name} {k}: there are only {count} groundings to cluster; try {max(1, count // 20)}, or -k auto"
            )


def _rows(run: Run, k: int) -> list[dict[str, Any]]:
    """One row a speech cluster, lowest variance first."""
    import numpy as np

    clusters = run.clusters(k)
    order = np.argsort(np.where(np.isnan(clusters.speech.variance), np.inf, clusters.speech.variance), kind="stable")
    rows = []
    for c in order:
        linked = int(clusters.image_of_speech[c])
        rows.append(
            {
                "cluster": int(c),
                "size": int(clusters.speech.size[c]),
                "variance": None
                if np.isnan(clusters.speech.variance[c])
                else round(float(clusters.speech.variance[c]), 6),
                "image_cluster": linked,
                "image_size": int(clusters.image.size[linked]),
                "affinity": round(float(clusters.affinity[linked, c]), 4),
                "mutual": bool(clusters.speech_of_image[linked] == c),
            }
        )
    return rows
