"""The speech branches: the paper's layer table, and padding that never shows."""

from __future__ import annotations

import pytest
import torch

from avterm.config import ModelConfig
from avterm.errors import ConfigError
from avterm.model.pair import PairModel
from avterm.model.speech import BRANCHES, FrameNorm, SpeechBranch


def test_parameters_of_the_paper() -> None:
    model = PairModel(ModelConfig(), 4096)
    sizes = [sum(p.numel() for p in block.parameters()) for block in model.speech.blocks]
    assert sizes == [5_248, 360_704, 2_228_736, 4_456_960, 8_913_920]
    assert sum(sizes) == 15_965_568
    assert sum(p.numel() for p in model.image.parameters()) == 4_195_328
    assert model.stride == 8


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("length", [1, 7, 50, 60, 99])
def test_a_caption_is_the_same_alone_and_padded(branch: str, norm: bool, length: int) -> None:
    torch.manual_seed(0)
    config = ModelConfig(speech_branch=branch, width=1 / 16, embedding=12, batch_norm=norm)
    model = SpeechBranch(config).eval()
    mel = torch.randn(2, 100, 40)
    padded = model(mel, torch.tensor([100, length]))
    alone = model(mel[1:, :length], torch.tensor([length]))
    assert alone.shape[1] == -(-length // model.stride)
    torch.testing.assert_close(padded[1, : alone.shape[1]], alone[0], atol=1e-5, rtol=1e-5)
    assert not padded[1, alone.shape[1] :].any()


def test_masked_norm_is_batch_norm_of_the_true_frames() -> None:
    torch.manual_seed(0)
    frames, mask = torch.randn(3, 5, 11), torch.ones(3, 1, 11)
    mask[1, :, 4:] = 0
    mine, theirs = FrameNorm(5).train(), torch.nn.BatchNorm1d(5).train()
    true = mask[:, 0].bool()
    expected = theirs(frames.transpose(1, 2)[true])
    got = mine(frames * mask, mask)
    torch.testing.assert_close(got.transpose(1, 2)[true], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mine.running_mean, theirs.running_mean)
    torch.testing.assert_close(mine.running_var, theirs.running_var)
    assert got[1, :, 4:].abs().max() == 0


def test_unknown_branch_is_named() -> None:
    with pytest.raises(ConfigError, match="harwath2018"):
        SpeechBranch(ModelConfig(speech_branch="harwath2018"))


@pytest.mark.parametrize(
    ("branch", "filters", "heard"),
    [("harwath2017", (), 249), ("harwath2017", (1, 11, 9, 7, 3), 81), ("harwath2016", (1, 1, 1), 10)],
)
def test_an_output_hears_as_far_as_the_filters_reach(branch: str, filters: tuple[int, ...], heard: int) -> None:
    torch.manual_seed(0)
    model = SpeechBranch(ModelConfig(speech_branch=branch, filters=filters, width=1 / 16, embedding=12)).double()
    mel = torch.randn(1, 800, 40, dtype=torch.float64, requires_grad=True)
    model.blocks[-1].rectify = False  # an output that is cut off at zero has no gradient, however far it hears
    middle = model(mel, torch.tensor([800]))[0, 400 // model.stride]
    reached = torch.zeros(800, dtype=torch.bool)
    for value in middle:  # a maximum lets through one of its frames: what all outputs hear, from near to far
        reached |= torch.autograd.grad(value, mel, retain_graph=True)[0][0].any(1)
    first, last = reached.nonzero()[[0, -1], 0].tolist()
    assert heard - 12 <= last - first + 1 <= heard


@pytest.mark.parametrize("filters", [(1, 11), (1, 10, 9, 7, 3), (1, 11, 9, 7, -3), (0, 11, 9, 7, 3)])
def test_filters_that_do_not_fit_the_branch_are_named(filters: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"model\.filters: expected 5 odd widths"):
        SpeechBranch(ModelConfig(filters=filters))
