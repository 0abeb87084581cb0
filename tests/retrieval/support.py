"""A small run that can be searched and tagged: grounded, clustered, with an untrained model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avterm.clustering.stage import cluster
from avterm.config import Config, override
from avterm.grounding.stage import ground
from avterm.progress import Silent
from avterm.store.run import Run
from tests.grounding.support import grounding_config, make_groundable, untrained_backbone


def small_config(**model: object) -> Config:
    """As `grounding_config`, with sounds whose voice activity needs no network."""
    return override(grounding_config(), {"speech": {"vad": "energy"}, "model": model}, "test")


def make_searchable(folder: Path, k: int = 3, **model: object) -> Run:
    """The run of `make_groundable`, grounded and clustered."""
    run = make_groundable(folder, small_config(**model))
    ground(run, Silent())
    cluster(run, dataclasses.replace(run.config.clustering, k=k), Silent())
    return Run.open(run.path)


def one_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new pictures go through the random backbone that all tests share."""
    monkeypatch.setattr("avterm.retrieval.front.load_backbone", lambda *_: untrained_backbone())
    monkeypatch.setattr("avterm.engine.features.load_backbone", lambda *_: untrained_backbone())


def write_sound(path: Path, seconds: float = 1.5, seed: int = 0) -> Path:
    """Noise with pauses."""
    samples = np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds))
    samples[: len(samples) // 5] *= 0.001
    soundfile.write(path, samples, 16_000, "FLOAT" if path.suffix == ".wav" else None)
    return path
