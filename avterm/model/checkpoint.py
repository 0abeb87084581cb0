"""Checkpoints: the weights as safetensors, with the configuration that built them in the file's own metadata."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from avterm.config import Config, override
from avterm.errors import ConfigError, StoreError
from avterm.model.pair import PairModel
from avterm.store.atomic import replacing

FORMAT = "1"


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write tensors and JSON-able metadata as one safetensors file, whole or not at all."""
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    text = {"avterm": FORMAT, "metadata": json.dumps(metadata, sort_keys=True)}
    with replacing(path) as temporary:
        data = save(plain, text)
        size = 8 + int.from_bytes(data[:8], "little")
        with temporary.open("wb") as file:
            file.write(_ordered(data[8:size]))
            file.write(memoryview(data)[size:])


def _ordered(head: bytes) -> bytes:
    """A safetensors header, with its length before it, whose metadata stand in one order: the library's own order
    differs from process to process, and with it the bytes of equal checkpoints."""
    values = json.loads(head)
    values["__metadata__"] = dict(sorted(values["__metadata__"].items()))
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def load_tensors(path: Path, device: str | torch.device = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote; StoreError in one line where the file is something else or damaged."""
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise StoreError(f"{path}: expected a checkpoint, found a folder, a pipe or a device")
        with safe_open(path, framework="pt", device=str(device)) as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if head.get("avterm") != FORMAT:
            raise StoreError(f"{path}: expected a checkpoint of avterm, found other safetensors")
        metadata = json.loads(head["metadata"])
        if not isinstance(metadata, dict):
            raise StoreError(f"{path}: expected a checkpoint, found: metadata {metadata!r:.60}")
        return tensors, metadata
    except FileNotFoundError:
        raise StoreError(f"{path}: no checkpoint here; train one with `avterm train`") from None
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError, MemoryError) as error:
        raise StoreError(f"{path}: expected a checkpoint, found: {error}") from None


def save_model(path: Path, model: PairModel, config: Config, weights: dict[str, Tensor] | None = None) -> None:
    """Write a checkpoint; `weights` take the place of the model's own (a running mean of them)."""
    metadata = {
        "image_size": model.image_size,
        "config": {name: dataclasses.asdict(getattr(config, name)) for name in ("speech", "vision", "model")},
    }
    save_tensors(path, weights or model.state_dict(), metadata)


def load_model(path: Path, device: str | torch.device = "cpu") -> PairModel:
    """The model of a checkpoint, in evaluation mode."""
    tensors, metadata = load_tensors(path, device)
    try:
        config, size = _front(metadata, path), int(metadata["image_size"])
        if not 0 < size <= 1 << 20 or not 0 < config.model.embedding <= 1 << 16 or not 0 < config.model.width <= 64:
            raise StoreError(f"{path}: the checkpoint's sizes are out of any sensible range")
        if "image_deviation" in tensors and not tensors["image_deviation"].ndim:  # one for all channels, until 0.1.0
            tensors["image_deviation"] = tensors["image_deviation"].repeat(size)
        with torch.device("meta"):  # shapes without memory: a model that the file cannot fill is never built
            expected = PairModel(config.model, size, config.speech.mels).state_dict()
        wrong = [k for k, v in expected.items() if k not in tensors or tensors[k].shape != v.shape]
        if wrong:
            raise StoreError(f"{path}: holds no {wrong[0]!r} of shape {tuple(expected[wrong[0]].shape)}")
        model = PairModel(config.model, size, config.speech.mels)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError, ConfigError) as error:
        raise StoreError(f"{path}: expected a checkpoint of this version, found: {str(error)[:200]}") from None
    return model.to(device).eval()


def _front(metadata: dict[str, Any], path: Path) -> Config:
    return override(Config(), metadata["config"], str(path))
