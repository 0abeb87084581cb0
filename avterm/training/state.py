"""The state of a training that can go on exactly where it was: weights, optimiser, running mean, place, history."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avterm.errors import StoreError
from avterm.model.checkpoint import load_tensors, save_tensors
from avterm.model.pair import PairModel


@dataclass
class Place:
    """Where training stands: `step` batches of `epoch` are done."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best: float = -1.0
    best_epoch: int = -1
    history: list[dict[str, Any]] = field(default_factory=list)


def save_state(
    path: Path,
    model: PairModel,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    place: Place,
    fingerprint: str,
) -> None:
    """Write everything as one safetensors file, whole or not at all."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.items()}
    scalars: dict[str, Any] = {}
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{index}.{name}"] = value
            elif value is not None:
                scalars[f"{index}.{name}"] = value
    save_tensors(path, tensors, {"place": vars(place), "scalars": scalars, "fingerprint": fingerprint})


def load_state(
    path: Path, model: PairModel, optimiser: torch.optim.Optimizer, average: dict[str, Tensor], fingerprint: str
) -> Place:
    """Put back what `save_state` wrote. StoreError where it belongs to another configuration or corpus."""
    tensors, metadata = load_tensors(path, model.mel_mean.device)
    if metadata.get("fingerprint") != fingerprint:
        raise StoreError(f"{path}: belongs to another configuration or corpus; give --redo to start afresh")
    try:
        model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        for name in average:
            average[name].copy_(tensors[f"average.{name}"])
        optimiser_state = optimiser.state_dict()
        state: dict[int, dict[str, Any]] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".", 2)
                # into memory of its own, aligned as what an optimiser makes itself, not wherever it lay in the file
                state.setdefault(int(index), {})[name] = value.clone()
        for key, scalar in metadata["scalars"].items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = scalar
        optimiser.load_state_dict({**optimiser_state, "state": state})
        return Place(**metadata["place"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{path}: expected a training state of this version, found: {str(error)[:200]}") from None


def history_lines(history: list[dict[str, Any]]) -> str:
    """One JSON object an epoch, as metrics.jsonl holds them."""
    return "".join(json.dumps(row, sort_keys=True) + "\n" for row in history)
