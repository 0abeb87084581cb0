"""Equation 1 and the contrastive loss against their definitions."""

from __future__ import annotations

import math

import torch

from avterm.model.losses import contrastive_loss, draw_impostors, impostor_loss


def test_equation_1_is_the_double_loop() -> None:
    generator = torch.Generator().manual_seed(1)
    for size in (2, 3, 17):
        captions, pictures = torch.randn(size, 6, generator=generator), torch.randn(size, 6, generator=generator)
        images = torch.arange(size)
        by_image, by_speech = draw_impostors(images, generator), draw_impostors(images, generator)
        total = 0.0
        for j in range(size):
            true = float(captions[j] @ pictures[j])
            total += max(0.0, float(captions[j] @ pictures[by_image[j]]) - true + 1)
            total += max(0.0, float(captions[by_speech[j]] @ pictures[j]) - true + 1)
        got = impostor_loss(captions @ pictures.T, by_image, by_speech)
        assert math.isclose(float(got), total, rel_tol=1e-5)


def test_impostors_show_another_picture_and_are_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.tensor([0, 0, 1, 2])
    drawn = torch.stack([draw_impostors(images, generator) for _ in range(4000)])
    assert (images[drawn] != images).all()
    share = torch.bincount(drawn[:, 2], minlength=4) / 4000  # the third place may draw the first, second and last
    torch.testing.assert_close(share, torch.tensor([1 / 3, 1 / 3, 0, 1 / 3]), atol=0.03, rtol=0)


def test_a_batch_of_one_picture_gives_the_margin() -> None:
    generator = torch.Generator().manual_seed(0)
    same = torch.zeros(3, dtype=torch.int64)
    drawn = draw_impostors(same, generator)
    assert drawn.tolist() == [0, 1, 2]
    assert float(impostor_loss(torch.randn(3, 3), drawn, drawn)) == 6.0


def test_contrastive_loss_is_two_cross_entropies_without_the_pictures_other_captions() -> None:
    torch.manual_seed(0)
    scores, images, scale = torch.randn(4, 4, dtype=torch.float64), torch.tensor([0, 1, 0, 2]), torch.tensor(3.0)
    total = 0.0
    for j in range(4):
        rivals = [i for i in range(4) if i == j or images[i] != images[j]]
        for line in (scores[j], scores[:, j]):
            total -= float(3 * line[j] - torch.logsumexp(3 * line[rivals], 0)) / 8
    assert math.isclose(float(contrastive_loss(scores, images, scale)), total, rel_tol=1e-9)
