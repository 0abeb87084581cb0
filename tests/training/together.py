"""What torchrun starts in `test_together`: a list of trainings, one after the other, in one group of processes.

torchrun --nproc-per-node 2 tests/training/together.py PLAN.json, where the plan is a list of {"run", "stop", "fail"}:
`stop`: after so many questions the last process alone is asked to stop; `fail`: the last process fails then; or
{"recall"}: of a run's best checkpoint.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import torch

from avterm.cli.common import emit, end
from avterm.errors import BadInput
from avterm.model.checkpoint import load_model
from avterm.progress import Silent
from avterm.retrieval.recall import recall
from avterm.store.run import Run
from avterm.training.data import PairData
from avterm.training.loop import train
from avterm.training.world import World, joined


def main(plan: Path) -> None:
    """Train each run of the plan; the first process prints the summaries, one JSON object a line."""
    torch.set_num_threads(1)
    with joined(cuda=False) as world:
        for task in json.loads(plan.read_text()):
            if "recall" in task:
                measure(task["recall"], world)
                continue
            questions = itertools.count()

            def stop(task: dict[str, int] = task, questions: itertools.count[int] = questions) -> bool:
                return asked(world, next(questions), task)

            summary = train(Run.open(task["run"]), Silent(), "cpu", stop, world=world)
            if world.first:
                emit(summary)


def measure(path: str, world: World) -> None:
    """Recall of the best checkpoint on all pairs, in chunks of three captions."""
    run = Run.open(path)
    model = load_model(run.path / "checkpoints" / "best.safetensors")
    found = recall(model, PairData(run.corpus, run.features, ["train", "val"]), chunk=3, world=world)
    if world.first:
        emit({"recall": [figures.as_dict() for figures in found]})


def asked(world: World, question: int, task: dict[str, int]) -> bool:
    """Whether this process is asked to stop; BadInput where it is to fail."""
    last = world.rank == world.size - 1
    if last and question == task.get("fail"):
        raise BadInput("the last process fails")
    return last and question >= task.get("stop", 1 << 30)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    end(0)
