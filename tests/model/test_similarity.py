"""Match-map similarities and their gradients against the definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from avterm.model import similarity
from avterm.model.similarity import matchmap_scores


def naive(speech: Tensor, lengths: list[int], cells: Tensor, kind: str) -> Tensor:
    rows = []
    for b, length in enumerate(lengths):
        maps = torch.einsum("td,cnd->ctn", speech[b, :length], cells)
        misa, sima = maps.amax(2).mean(1), maps.amax(1).mean(1)
        rows.append({"misa": misa, "sima": sima, "sisa": maps.mean((1, 2)), "both": (misa + sima) / 2}[kind])
    return torch.stack(rows)


@pytest.mark.parametrize("at_once", [1, 60, 1 << 21])
@pytest.mark.parametrize("kind", ["misa", "sima", "sisa", "both"])
def test_scores_and_gradients(kind: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_AT_ONCE", at_once)  # a row, a few rows, and all of them at a time
    torch.manual_seed(0)
    lengths = [7, 3, 1]
    mask = torch.arange(7)[None] < torch.tensor(lengths)[:, None]
    leaf = torch.randn(3, 7, 5, dtype=torch.float64).requires_grad_()
    speech = leaf * mask[..., None]  # as the speech branch gives it: padding zero
    cells = torch.randn(4, 6, 5, dtype=torch.float64).requires_grad_()
    weight = torch.randn(3, 4, dtype=torch.float64)
    got, expected = matchmap_scores(speech, mask, cells, kind), naive(speech, lengths, cells, kind)
    torch.testing.assert_close(got, expected)
    ours = torch.autograd.grad((got * weight).sum(), (leaf, cells), retain_graph=True)
    theirs = torch.autograd.grad((expected * weight).sum(), (leaf, cells), retain_graph=True)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
