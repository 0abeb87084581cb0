"""The features stage: what it stores, what it leaves out, how it goes on, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avterm.config import SpeechConfig, VisionConfig
from avterm.corpus.manifest import Corpus, Pair
from avterm.engine.features import compute_features
from avterm.errors import BadInput, ConfigError, StoreError
from avterm.progress import Silent
from avterm.speech.activity import activity
from avterm.speech.audio import read_audio
from avterm.speech.logmel import log_mel
from avterm.store.features import FeatureStore
from avterm.vision.backbones import load_backbone
from avterm.vision.pictures import read_picture, resize

SPEECH = SpeechConfig(vad="energy", max_seconds=3.0)
VISION = VisionConfig(backbone="efficientnet-lite0", weights="random", pixels=64, output="grid")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Seven pairs of five pictures; three captions and a picture of two pairs cannot be used."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(5):
        Image.fromarray(rng.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:200])
    lengths = [1.0, 1.5, 0.3, 5.0, 1.0, 0.5, 2.0]
    for i, seconds in enumerate(lengths):
        soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, int(seconds * 16_000)), 16_000)
    (folder / "4.wav").write_bytes(b"")
    images = [0, 1, 2, 3, 0, 4, 4]
    pairs = [Pair(f"пара {i}", f"{image}.png", f"{i}.wav") for i, image in enumerate(images)]
    made = Corpus(folder / "corpus.jsonl", pairs)
    made.save()
    return made


def run(corpus: Corpus, folder: Path, speech: SpeechConfig = SPEECH, vision: VisionConfig = VISION, **more: object):  # type: ignore[no-untyped-def]
    progress = Silent()
    summary = compute_features(corpus, folder, speech, vision, progress, device="cpu", **more)  # type: ignore[arg-type]
    assert sorted(map(str, progress.problems)) == sorted(map(str, summary.left_out))
    return summary


def shards(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.glob("*.h5"))}


def test_what_is_stored_is_what_the_parts_give(corpus: Corpus, tmp_path: Path) -> None:
    summary = run(corpus, tmp_path / "f")
    store = FeatureStore(tmp_path / "f")
    assert store.ids == ["пара 0", "пара 1", "пара 5", "пара 6"]
    assert store.images == ["0.png", "1.png", "2.png", "3.png"]
    assert store.sizes.tolist() == [[50, 40], [50, 41], [50, 42], [50, 43]]
    samples = read_audio(corpus.speech_path(corpus["пара 1"]))
    np.testing.assert_array_equal(store.mel("пара 1"), log_mel(samples).astype(np.float16))
    np.testing.assert_array_equal(store.active("пара 1"), activity(samples, "energy"))
    pixels = resize(read_picture(corpus.path.parent / "3.png"), 64, 64)[None]
    expected = load_backbone("efficientnet-lite0", "random").map(pixels)[0].numpy()
    assert store.backbone.shape == (4, 2, 2, 1920)
    assert store.backbone.dtype == np.float16
    np.testing.assert_allclose(store.backbone[3], expected, atol=2e-3, rtol=2e-3)
    assert (summary.pairs, summary.pictures, summary.made, summary.kept) == (2, 4, 2, 0)


def test_what_is_left_out_is_named_each_time(corpus: Corpus, tmp_path: Path) -> None:
    first = run(corpus, tmp_path / "f")
    kinds = [(p.id, p.kind) for p in first.left_out]
    assert kinds == [
        ("пара 2", "too-short"), ("пара 3", "unreadable-speech"), ("пара 4", "unreadable-speech"),
        ("пара 5", "unreadable-picture"), ("пара 6", "unreadable-picture"),
    ]  # fmt: skip
    assert "0.30 s of speech; at least 0.5 s" in first.left_out[0].message
    assert "5 s long; at most 3 s" in first.left_out[1].message
    again = run(corpus, tmp_path / "f")
    assert again.left_out == first.left_out
    assert (again.made, again.kept) == (0, 2)


def test_vectors_and_no_vad(corpus: Corpus, tmp_path: Path) -> None:
    run(corpus, tmp_path / "f", replace(SPEECH, vad="none", mels=23), replace(VISION, output="vector"))
    store = FeatureStore(tmp_path / "f")
    assert store.backbone.shape == (4, 1920)
    assert store.mel("пара 0").shape == (100, 23)
    assert store.active("пара 0").all()


def test_an_interrupted_run_goes_on_with_the_same_bytes(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avterm.store.features.PER_SHARD", 2)
    run(corpus, tmp_path / "whole")
    whole = shards(tmp_path / "whole")
    assert len(whole) == 4 + 3
    for index in (1, 0):
        share = run(corpus, tmp_path / "parts", shard=(index, 2))
        assert share.made == (3 if index else 4)
    done = shards(tmp_path / "parts")
    assert {n: b for n, (_, b) in done.items()} == {n: b for n, (_, b) in whole.items()}
    (tmp_path / "parts" / "speech-00001.h5").unlink()
    (tmp_path / "parts" / "images-00002.h5").unlink()
    assert run(corpus, tmp_path / "parts").made == 2
    again = shards(tmp_path / "parts")
    assert {n: b for n, (_, b) in again.items()} == {n: b for n, (_, b) in whole.items()}
    assert again["speech-00000.h5"][0] == done["speech-00000.h5"][0]


def test_other_settings_are_refused_unless_redo(corpus: Corpus, tmp_path: Path) -> None:
    run(corpus, tmp_path / "f")
    before = shards(tmp_path / "f")
    with pytest.raises(StoreError, match=r"speech-00000\.h5: made from another corpus or other settings; --redo"):
        run(corpus, tmp_path / "f", replace(SPEECH, vad="none"))
    with pytest.raises(StoreError, match=r"images-00000\.h5: made from another"):
        run(corpus, tmp_path / "f", vision=replace(VISION, pixels=96))
    assert shards(tmp_path / "f") == before
    assert run(corpus, tmp_path / "f", replace(SPEECH, vad="none"), redo=True).made == 1
    assert run(corpus, tmp_path / "f", replace(SPEECH, vad="none"), redo=True).made == 0


def test_other_weights_are_other_settings(corpus: Corpus, tmp_path: Path) -> None:
    run(corpus, tmp_path / "f")
    with pytest.raises(StoreError, match=r"images-00000\.h5: made from another"):
        run(corpus, tmp_path / "f", vision=replace(VISION, weights=""))


def test_a_smaller_corpus_needs_redo_and_leaves_nothing_behind(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avterm.store.features.PER_SHARD", 2)
    run(corpus, tmp_path / "f")
    smaller = Corpus(corpus.path, corpus.pairs[:2])
    with pytest.raises(StoreError, match="made from another"):
        run(smaller, tmp_path / "f")
    run(smaller, tmp_path / "f", redo=True)
    assert FeatureStore(tmp_path / "f").ids == ["пара 0", "пара 1"]
    assert sorted(shards(tmp_path / "f")) == ["images-00000.h5", "speech-00000.h5"]


def test_a_damaged_shard_is_named_and_redo_makes_it_again(corpus: Corpus, tmp_path: Path) -> None:
    run(corpus, tmp_path / "f")
    path = tmp_path / "f" / "speech-00000.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with pytest.raises(StoreError, match=r"speech-00000\.h5: damaged"):
        run(corpus, tmp_path / "f")
    run(corpus, tmp_path / "f", redo=True)
    assert path.read_bytes() == whole


def test_nothing_usable_still_makes_a_store(corpus: Corpus, tmp_path: Path) -> None:
    bad = Corpus(corpus.path, [Pair("a", "4.png", "4.wav")])
    summary = run(bad, tmp_path / "f")
    assert (summary.pairs, summary.pictures, len(summary.left_out)) == (0, 0, 2)
    store = FeatureStore(tmp_path / "f")
    assert store.mels.shape == (0, 40)
    assert store.backbone.shape == (0, 2, 2, 1920)


@pytest.mark.parametrize(
    ("speech", "vision", "says"),
    [
        ({"vad": "loud"}, {}, r"speech\.vad"), ({"mels": 0}, {}, r"speech\.mels"),
        ({}, {"output": "x"}, r"vision\.output"), ({}, {"pixels": 8}, r"vision\.pixels"),
        ({}, {"backbone": "x"}, r"vision\.backbone"),
        ({"min_seconds": 9.0}, {}, r"speech\.max_seconds"), ({"max_seconds": 1e9}, {}, r"speech\.max_seconds"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant(corpus: Corpus, tmp_path: Path, speech: dict, vision: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        run(corpus, tmp_path / "f", replace(SPEECH, **speech), replace(VISION, **vision))
    assert not (tmp_path / "f").exists()


def test_weights_that_are_not_there(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing\.pth"):
        run(corpus, tmp_path / "f", vision=replace(VISION, weights=str(tmp_path / "nothing.pth")))
