"""What training minimises, given the scores of every caption with every picture of a minibatch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def impostor_loss(scores: Tensor, image_impostor: Tensor, speech_impostor: Tensor, margin: float = 1.0) -> Tensor:
    """Equation 1: for each pair one impostor picture and one impostor caption of the minibatch, a hinge on each.

    scores: (B, B), row = caption, column = picture, so that the true pairs lie on the diagonal.
    image_impostor, speech_impostor: (B,) int64, for each pair the index of its impostor.
    Returns the sum over the minibatch, as the equation has it.
    """
    pair = torch.arange(len(scores), device=scores.device)
    true = scores[pair, pair]
    by_image = F.relu(scores[pair, image_impostor] - true + margin)
    by_speech = F.relu(scores[speech_impostor, pair] - true + margin)
    return (by_image + by_speech).sum()


def draw_impostors(images: Tensor, generator: torch.Generator) -> Tensor:
    """For each place of a minibatch another place, uniformly, whose picture differs.

    images: (B,) int64, which picture stands at each place (several captions may share one). Where the whole
    minibatch shows one picture, the place itself comes back, and its hinge is the constant margin.
    """
    different = images[:, None] != images[None, :]
    lonely = ~different.any(1)
    weights = different.float()
    weights[lonely, torch.arange(len(images), device=images.device)[lonely]] = 1.0
    return torch.multinomial(weights.cpu(), 1, generator=generator)[:, 0].to(images.device)


def contrastive_loss(scores: Tensor, images: Tensor, scale: Tensor, margin: float = 0.0) -> Tensor:
    """InfoNCE both ways: each caption must find its picture among all of the minibatch, and each picture its caption.

    scores: (B, B) as above; images: (B,) which picture stands at each place: other captions of the same picture are
    never counted as wrong. `scale` multiplies the scores (the inverse temperature); `margin` is taken off the
    diagonal first (masked margin softmax, Ilharco et al. 2019).
    """
    same = images[:, None] == images[None, :]
    eye = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    logits = scale * (scores - margin * eye.to(scores.dtype))
    logits = logits.masked_fill(same & ~eye, float("-inf"))
    target = torch.arange(len(scores), device=scores.device)
    return 0.5 * (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target))
