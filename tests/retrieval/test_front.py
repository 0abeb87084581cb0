"""What is new is embedded as the run's own pairs are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from avterm.config import override
from avterm.corpus.manifest import Corpus, Pair
from avterm.engine.features import compute_features
from avterm.errors import BadInput, StoreError
from avterm.progress import Silent
from avterm.retrieval.front import Front, Heard
from avterm.store.run import Run
from tests.grounding.support import PIXELS, save_untrained
from tests.retrieval.support import one_backbone, small_config, write_sound


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """One pair of a real sound and a real picture, with the features that the stage makes of them."""
    one_backbone(monkeypatch)
    write_sound(tmp_path / "a.wav", 1.6)
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (50, 70, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    corpus = Corpus(tmp_path / "corpus.jsonl", [Pair("a", "a.png", "a.wav")])
    corpus.save()
    config = override(small_config(), {"vision": {"pixels": PIXELS}}, "test")
    made = Run.create(tmp_path / "run", corpus.path, config)
    compute_features(corpus, made.features_path, config.speech, config.vision, Silent(), device="cpu")
    save_untrained(made, 0)
    return made


def test_a_pairs_own_files_give_its_stored_features(run: Run) -> None:
    front, pair = Front(run, torch.device("cpu")), run.corpus["a"]
    heard, stored = front.listen(run.corpus.speech_path(pair)), front.heard_of(pair)
    assert heard.mel.dtype == stored.mel.dtype == np.float16
    assert np.array_equal(heard.mel, stored.mel)
    assert np.array_equal(heard.active, stored.active)
    seen, kept = front.look(run.corpus.image_path(pair)), front.seen_of(pair)
    assert seen.size == kept.size == (70, 50)
    assert seen.features.dtype == np.float16
    np.testing.assert_allclose(seen.features, kept.features, rtol=2e-3, atol=2e-3)


def test_both_roads_embed_what_they_are_given(run: Run) -> None:
    boxes = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 0.9]])
    pair = run.corpus["a"]
    whole = {}
    for road in ("shared", "exact"):
        front = Front(run, torch.device("cpu"), road)
        heard = front.heard_of(pair)
        frames = len(heard.mel)
        whole[road] = front.segments(front.frames(heard), np.array([[0, frames], [10, 60]]))
        assert front.boxes(front.seen_of(pair), boxes).shape == (2, 8)
    np.testing.assert_allclose(whole["shared"][0], whole["exact"][0], atol=1e-5)  # of everything they are the same


def test_where_speech_is() -> None:
    def heard(active: list[int]) -> tuple[int, int]:
        return Heard(np.zeros((len(active), 40), np.float16), np.array(active, np.uint8)).spoken

    assert heard([0, 1, 0, 1, 0]) == (1, 4)
    assert heard([0, 0, 0]) == (0, 3)


def test_what_cannot_be_used_is_named(run: Run, tmp_path: Path) -> None:
    front = Front(run, torch.device("cpu"))
    with pytest.raises(BadInput, match=r"short\.wav: 0\.05 s of sound; at least 0\.1 s"):
        front.listen(write_sound(tmp_path / "short.wav", 0.05))
    with pytest.raises(BadInput, match="no such file"):
        front.look(tmp_path / "nothing.png")
    stranger = dataclasses.replace(run.corpus["a"], id="b", image="b.png")
    with pytest.raises(BadInput, match="b: has no speech features"):
        front.heard_of(stranger)
    with pytest.raises(BadInput, match="b: has no picture features"):
        front.seen_of(stranger)


def test_a_model_of_another_backbone_is_named(run: Run) -> None:
    front = Front(run, torch.device("cpu"))
    front.model.image_size = 7
    with pytest.raises(StoreError, match="was trained on 7 values of efficientnet-lite0, and this version makes"):
        front.look(run.corpus.image_path(run.corpus["a"]))
