"""Whole captions and pictures in chunks, against the model's scores of everything at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avterm.retrieval import whole
from avterm.retrieval.front import Front
from tests.grounding.support import FRAMES, make_groundable
from tests.retrieval.support import small_config


@pytest.mark.parametrize("similarity", ["mean", "misa", "sima", "both"])
def test_chunks_equal_the_models_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, similarity: str) -> None:
    run = make_groundable(tmp_path, small_config(similarity=similarity))
    monkeypatch.setattr(whole, "PICTURES", 2)
    monkeypatch.setattr(whole, "CAPTIONS", 2)
    front, store = Front(run, torch.device("cpu")), run.features
    shape = store.backbone.shape  # what a random backbone makes of random pictures is the same for all
    vars(store)["backbone"] = np.random.default_rng(0).normal(0, 3, shape).astype(np.float16)
    mel = torch.zeros(len(FRAMES), max(FRAMES), 40)
    for row, id in zip(mel, store.ids, strict=True):
        row[: len(store.mel(id))] = torch.from_numpy(store.mel(id).astype(np.float32))
    features = torch.from_numpy(store.backbone[:].astype(np.float32))
    with torch.inference_mode():
        scores = front.model.scores(mel, torch.tensor(FRAMES), features).numpy()
    pictures = whole.best_pictures(front.model, store, store.mel("p3"), np.arange(5), 3)
    assert pictures.rows.tolist() == np.argsort(-scores[3], kind="stable")[:3].tolist()
    np.testing.assert_allclose(pictures.scores, scores[3, pictures.rows], rtol=1e-4, atol=1e-5)
    captions = whole.best_captions(front.model, store, store.backbone[1], np.array([5, 3, 2, 0]), 9)
    assert captions.rows.tolist() == [r for r in np.argsort(-scores[:, 1], kind="stable").tolist() if r in (0, 2, 3, 5)]
    np.testing.assert_allclose(captions.scores, scores[captions.rows, 1], rtol=1e-4, atol=1e-5)
