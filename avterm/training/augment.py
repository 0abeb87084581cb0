"""Changes to a batch that make a small corpus go further; each drawn from the step's own generator."""

from __future__ import annotations

import torch
from torch import Tensor

from avterm.training.data import Batch
from avterm.training.world import ALONE, World


def mask_spectrogram(batch: Batch, fill: Tensor, generator: torch.Generator, world: World = ALONE) -> Batch:
    """SpecAugment (Park et al. 2019): two bands of up to 8 mels and two stretches of up to 15 frames become `fill`.

    fill: (mels,) the mean of each band, so that what is masked is neither loud nor silent. Drawn for the whole
    minibatch of which these captions are this process's share, whoever computes which.
    """
    mel = batch.mel.clone()
    captions, (frames, mels) = len(batch.images), mel.shape[1:]
    for size, limit, axis in ((mels, 8, 2), (mels, 8, 2), (frames, 15, 1), (frames, 15, 1)):
        width = torch.randint(0, limit + 1, (captions, 1), generator=generator)
        start = (torch.rand((captions, 1), generator=generator) * (size - width).clamp(min=1)).long()
        place = torch.arange(size)[None]
        masked = world.part((place >= start) & (place < start + width)).to(mel.device)
        mask = masked[:, None, :] if axis == 2 else masked[:, :, None]
        mel = torch.where(mask, fill, mel)
    return Batch(mel, batch.lengths, batch.features, batch.images)
