"""The learning rate of each step (section 3: geometric decay; cosine for `modern`)."""

from __future__ import annotations

import math

from avterm.config import TrainingConfig
from avterm.errors import ConfigError


def learning_rate(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of step `step`, counted from 0 over the whole training."""
    epoch = step / max(steps_per_epoch, 1)
    warm = min(1.0, (epoch + 1 / max(steps_per_epoch, 1)) / config.warmup_epochs) if config.warmup_epochs > 0 else 1.0
    if config.schedule == "geometric":
        return config.learning_rate * warm / config.decay_factor ** (int(epoch) // max(config.decay_epochs, 1))
    if config.schedule == "cosine":
        return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, epoch / max(config.epochs, 1))))
    raise ConfigError(f"training.schedule: expected geometric or cosine, found {config.schedule!r}")
