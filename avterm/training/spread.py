"""One model over several processes: gradients averaged, normalisation and dropout as of the whole minibatch."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from avterm.config import TrainingConfig
from avterm.errors import ConfigError
from avterm.model.pair import PairModel
from avterm.model.speech import FrameNorm
from avterm.training.world import World

Scoring = Callable[[Tensor, Tensor, Tensor], Tensor]
IMPOSTORS = ("global", "local")


def spread(model: PairModel, config: TrainingConfig, world: World, total: int) -> Scoring:
    """What turns a share of a minibatch (mel, lengths, features) into scores, here and on all other processes.

    total: pairs in the whole minibatch. With impostors `global` the scores are (total, total), the same on every
    process; with `local` (n, n) of the process's own share. ConfigError where a minibatch has fewer pairs than
    there are processes.
    """
    if config.impostors not in IMPOSTORS:
        raise ConfigError(f"training.impostors: expected global or local, found {config.impostors!r}")
    if world.size == 1:
        return model.scores
    if total < world.size:
        raise ConfigError(f"a minibatch of {total} pairs cannot be shared by {world.size} processes")
    for module in model.modules():
        if isinstance(module, FrameNorm):
            module.across = world.sum
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, SharedDropout(child.p, world, total))
    scoring = _Scoring(model, world, total if config.impostors == "global" else 0)
    device = model.mel_mean.device
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # newer releases have another name for one of these
        return DistributedDataParallel(
            scoring,
            device_ids=[device] if device.type == "cuda" else None,
            broadcast_buffers=False,  # they are computed alike everywhere
            find_unused_parameters=config.loss != "contrastive",  # only that loss has a temperature
        )


class _Scoring(nn.Module):
    """`PairModel.scores` of a share, with the pictures and the scores of all processes gathered if `total`."""

    def __init__(self, model: PairModel, world: World, total: int) -> None:
        super().__init__()
        self.model, self.world, self.total = model, world, total

    def forward(self, mel: Tensor, lengths: Tensor, features: Tensor) -> Tensor:
        if not self.total:
            return self.model.scores(mel, lengths, features)
        rows = self.model.scores(mel, lengths, features, self._gather)  # (n, total)
        return self._gather(rows)

    def _gather(self, part: Tensor) -> Tensor:
        return self.world.gather(part, self.total)


class SharedDropout(nn.Dropout):
    """Dropout whose mask is drawn for the whole minibatch, so that it does not depend on who computes which pair.

    Drawn from the default generator, which every process has seeded alike: what one process draws for all.
    """

    def __init__(self, p: float, world: World, total: int) -> None:
        """`total`: pairs in the whole minibatch."""
        super().__init__(p)
        self.world, self.total = world, total

    def forward(self, input: Tensor) -> Tensor:
        """(n, …) of this process's share → the same, with what was drawn dropped."""
        if not self.training:
            return input
        whole = torch.ones((self.total, *input.shape[1:]), dtype=input.dtype, device=input.device)
        return input * self.world.part(F.dropout(whole, self.p))
