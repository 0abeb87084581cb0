"""`avterm retrieve`: Table 1 for a run's best checkpoint."""

from __future__ import annotations

import time
from typing import Any

from avterm.model.checkpoint import load_model
from avterm.progress import Progress
from avterm.retrieval.ranked import ranked
from avterm.store.run import Run
from avterm.training.data import PairData
from avterm.training.device import choose_device


def retrieve(
    run: Run, progress: Progress, split: str = "val", frames: int = 1000, device: str = "auto"
) -> dict[str, Any]:
    """Search and annotation recall on a split, captions cut to `frames` (10 s, as Table 1); kept as stage `retrieve`.

    Search: given a caption, find its picture. Annotation: given a picture, find one of its captions. Both also within
    and across speakers, where several are known (avterm.retrieval.by_speaker), and with intervals by resampling
    pictures, `evaluation.bootstrap` rounds.
    """
    data = PairData(run.corpus, run.features, [split])
    model = load_model(run.path / "checkpoints" / "best.safetensors", choose_device(device))
    began = time.monotonic()
    with progress.step("retrieve", len(data)) as step:
        found = ranked(model, data, frames)
        step.advance(len(data))
    figures = found.summary(run.config.evaluation.bootstrap, run.config.evaluation.seed)
    summary = {"split": split, "pairs": len(data), "pictures": len(data.distinct), **figures}
    trained = run.stage("train")
    run.finish("retrieve", trained["fingerprint"] if trained else "", summary)
    return {**summary, "seconds": round(time.monotonic() - began, 2)}
