"""What a model does to the backbone's output before it learns from it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from avterm.config import ModelConfig
from avterm.errors import ConfigError
from avterm.model.pair import PairModel

CONFIG = ModelConfig(width=0.05, embedding=8)


def brought_to_level(head_level: float, depths: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(0)
    values = random.normal(3, 5, (1000, 6)) * [1, 1, 1, 1, 0.2, 0.2]
    model = PairModel(dataclasses.replace(CONFIG, head_level=head_level), 6)
    model.set_image_statistics(values.mean(0), values.var(0), depths)
    with torch.no_grad():
        model.image.weight.copy_(torch.eye(8, 6))
        model.image.bias.zero_()
        return model.project(torch.from_numpy(values.astype(np.float32))).numpy()[:, :6]


@pytest.mark.parametrize("depths", [(6,), (), (4, 2)])
def test_features_come_to_mean_0_and_over_all_deviation_1(depths: tuple[int, ...]) -> None:
    for level in (1.0, 0.1, 3.0):
        values = brought_to_level(level, depths)
        np.testing.assert_allclose(values.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(np.sqrt(values.var(0).mean()), 1, rtol=1e-5)


def test_only_the_last_of_several_depths_is_heard_at_another_level() -> None:
    def ratio(values: np.ndarray) -> float:
        return float(values[:, 4:].std() / values[:, :4].std())

    plain = ratio(brought_to_level(1.0, (4, 2)))
    assert plain == pytest.approx(0.2, rel=0.1)
    assert ratio(brought_to_level(0.5, (4, 2))) == pytest.approx(plain / 2, rel=1e-5)
    assert ratio(brought_to_level(0.5, (6,))) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("level", [0.0, -1.0])
def test_a_head_that_is_not_heard_at_all_is_refused(level: float) -> None:
    with pytest.raises(ConfigError, match="head_level"):
        PairModel(dataclasses.replace(CONFIG, head_level=level), 6)


def test_channels_are_dropped_for_each_picture_and_all_its_cells_in_training_only() -> None:
    torch.manual_seed(0)
    model = PairModel(dataclasses.replace(CONFIG, image_dropout=0.5), 400)
    with torch.no_grad():
        model.image.weight.copy_(torch.eye(400)[: model.config.embedding])
        model.image.bias.zero_()
    model.config = dataclasses.replace(model.config, normalise_image=False)
    features = torch.rand(5, 2, 3, 400) + 1
    whole = model.eval().project(features)
    dropped = model.train().project(features)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])
    assert (kept == kept[:, :1, :1]).all()  # the same channels in all cells
    assert (kept[0] != kept[1]).any()
    assert 0.3 < float(kept.float().mean()) < 0.7
    assert not [name for name in model.state_dict() if "drop" in name]


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_of_channels_that_cannot_be_dropped_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="image_dropout"):
        PairModel(dataclasses.replace(CONFIG, image_dropout=share), 6)


def test_a_picture_is_the_mean_of_its_projected_cells() -> None:
    torch.manual_seed(0)
    features = torch.randn(3, 4, 5, 6)
    for normalise in (False, True):
        model = PairModel(dataclasses.replace(CONFIG, normalise_image=normalise), 6)
        torch.testing.assert_close(
            model.embed_image(features), model.finish_image(model.project(features).mean((1, 2))), atol=1e-6, rtol=1e-5
        )
