"""`avterm demo`: the whole job on the built-in corpus, and what to do next."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli.common import JsonOption, emit, reporter, say
from avterm.errors import StoreError

if TYPE_CHECKING:
    from avterm.store.run import Run


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(demo)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where corpus and run go.")] = Path("demo"),
    pairs: Annotated[int, typer.Option(min=100, help="Spoken scenes to make.")] = 1500,
    k: Annotated[int | None, typer.Option("-k", "--k", help="Clusters; three for each noun if not given.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often to go through the training split.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same corpus and the same model.")] = 1,
    top: Annotated[int, typer.Option(help="Words to list.")] = 40,
    json: JsonOption = False,
) -> None:
    """Make spoken scenes, train on them, and list the words found.

    From nothing to discovered words: corpus, train, ground, cluster, evaluate. Goes on where it was cut off. Nothing
    but pictures and sound reaches training; the labels in the table at the end come from the synthesiser's own word
    times.
    """
    from avterm.cli.runs import run_for
    from avterm.cli.train import Stop
    from avterm.clustering.stage import cluster
    from avterm.config import Overrides
    from avterm.corpus.boxes import boxes_of
    from avterm.corpus.demo.making import make_demo
    from avterm.corpus.demo.rules import nouns
    from avterm.corpus.words import words_of
    from avterm.engine.features import compute_features
    from avterm.evaluation.stage import evaluate
    from avterm.grounding.stage import ground
    from avterm.retrieval.stage import retrieve
    from avterm.store.lock import locked
    from avterm.training.loop import train

    began, progress, names = time.monotonic(), reporter(), sorted(nouns())
    corpus, path = folder / "corpus", folder / "run"
    if not (corpus / "corpus.jsonl").exists():
        make_demo(corpus, pairs, seed, 2, progress)
    settings: Overrides = {"training": {"seed": seed}, "clustering": {"k": k or 3 * len(names)}}
    if epochs is not None:
        settings["training"]["epochs"] = epochs
    run = run_for(path, corpus, "demo", None, settings)
    config = run.config
    with locked(run.path):
        compute_features(run.corpus, run.features_path, config.speech, config.vision, progress)
        stop = Stop()
        summary = train(run, progress, should_stop=lambda: bool(stop))
        if not summary.get("finished", True):
            raise StoreError(f"stopped after epoch {summary['epochs']}; the same command goes on from here")
        recall = retrieve(run, progress)
        ground(run, progress)
        cluster(run, config.clustering, progress)
        found = evaluate(run, [config.clustering.k], words_of(run.corpus), boxes_of(run.corpus), progress)
    result = next(iter(found.values()))
    _tell(run, result, names, recall, top, json, time.monotonic() - began)


def _tell(
    run: Run, result: dict[str, Any], names: list[str], recall: dict[str, Any], top: int, json: bool, seconds: float
) -> None:
    clusters = [c for c in result["clusters"] if c["size"] and c["variance"] is not None]
    clusters.sort(key=lambda c: c["variance"])
    labels = {c["label"] for c in clusters}
    heard = [n for n in names if n in labels]
    overall = {k: v for k, v in result["overall"].items() if k != "by_word"}
    if json:
        emit(
            {**overall, "nouns": len(names), "nouns_found": len(heard), "recall": recall, "seconds": round(seconds, 1)}
        )
        return
    say(f"{'word':14}{'size':>6}{'purity':>8}{'coverage':>10}{'variance':>10}{'image cluster':>15}{'affinity':>10}")
    for c in clusters[:top]:
        coverage = "-" if c["coverage"] is None else f"{c['coverage']:.2f}"
        say(
            f"{c['label'][:13]:14}{c['size']:6}{c['purity']:8.2f}{coverage:>10}{c['variance']:10.3f}"
            f"{c['image_cluster']:15}{c['affinity']:10.1f}"
        )
    say()
    search, annotation = recall["search"]["r10"], recall["annotation"]["r10"]
    missed = sorted(set(names) - set(heard))
    lost = f"; missing: {', '.join(missed)}" if missed else ""
    say(f"nouns that are the label of a cluster: {len(heard)} of {len(names)}{lost}")
    say(f"overall purity {overall['purity']:.3f}, pointing {overall['pointing']:.3f}, mean IOU {overall['iou']:.3f}")
    say(f"validation R@10: search {search:.3f}, annotation {annotation:.3f}; {seconds:.0f} s in all")
    say()
    say("What next:")
    say(f"  avterm browse {run.path}          look at the clusters, hear their segments, name them")
    say(f"  avterm report {run.path}          one page to show to others")
    say(f"  avterm evaluate {run.path} --table 3")
    say("  avterm corpus import YOUR_DATA --to my-corpus && avterm train my-run --corpus my-corpus --preset modern")
