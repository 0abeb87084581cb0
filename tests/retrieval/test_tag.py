"""Known words in new speech: made-up frames in which words are told apart by eye, and recordings from disk."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from avterm.config import GroundingConfig
from avterm.errors import Problem, UsageError
from avterm.grounding.roads import Spoken
from avterm.retrieval import tag as tagging
from avterm.retrieval.front import Front, Heard
from avterm.retrieval.lexicon import Lexicon
from avterm.retrieval.tag import Tag, Tagger
from avterm.speech import stretches as cutting
from avterm.store.curation import curation_path, make_edit
from avterm.store.journal import Journal
from avterm.store.run import Run
from tests.retrieval.support import make_searchable, write_sound
from tests.synthetic import make_run


class PlainFront:
    """A front whose `mel` are the frames themselves, and whose embeddings are their means."""

    def __init__(self, run: Run, config: GroundingConfig) -> None:
        self.run, self.config, self.device = run, config, torch.device("cpu")
        self.model = SimpleNamespace(stride=1)

    def frames(self, heard: Heard) -> Spoken:
        frames = torch.from_numpy(heard.mel.astype(np.float32))
        return Spoken(frames, frames)

    def segments(self, spoken: Spoken, segments: np.ndarray) -> np.ndarray:
        return np.stack([spoken.output[a:b].mean(0).numpy() for a, b in segments])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, media=False)


def tagger(run: Run, borders: str = "grid", least: float = 0.5) -> Tagger:
    config = dataclasses.replace(run.config.grounding, borders=borders)
    return Tagger(PlainFront(run, config), Lexicon(run), least)  # type: ignore[arg-type]


def speech_of(run: Run, words: list[tuple[int, int, int]], frames: int = 400) -> Heard:
    """(first, after the last, cluster) of some words; nothing like a word between them; silence at the end."""
    mel = np.random.default_rng(0).normal(0, 0.05, (frames, 16))
    active = np.ones(frames, np.uint8)
    for start, stop, cluster in words:
        mel[start:stop] = run.clusters().speech.centroid[cluster]
    active[-60:] = 0
    return Heard(mel.astype(np.float16), active)


@pytest.mark.parametrize("borders", ["grid", "adaptive"])
def test_words_are_found_where_they_are(run: Run, borders: str) -> None:
    heard = speech_of(run, [(40, 90, 2), (90, 140, 4), (200, 250, 2)])
    found = tagger(run, borders).heard(heard)
    assert [(t.start, t.end, t.cluster) for t in found] == [(0.4, 0.9, 2), (0.9, 1.4, 4), (2.0, 2.5, 2)]
    assert all(0.5 <= t.confidence <= 1 for t in found)
    assert found[0].as_dict()["name"] is None
    assert found[0].title == "#2"


def test_adaptive_borders_leave_the_grid(run: Run) -> None:
    heard = speech_of(run, [(43, 96, 2)])
    assert [(t.start, t.end) for t in tagger(run, "adaptive").heard(heard)] == [(0.43, 0.96)]


def test_nothing_is_found_in_silence_or_in_a_breath(run: Run) -> None:
    heard = speech_of(run, [(340, 400, 2)])  # where nobody speaks
    assert tagger(run).heard(heard) == []
    assert tagger(run).heard(Heard(np.zeros((5, 16), np.float16), np.ones(5, np.uint8))) == []


def test_a_recording_of_one_short_word(run: Run) -> None:
    mel = np.repeat(run.clusters().speech.centroid[[3]], 30, 0).astype(np.float16)
    found = tagger(run).heard(Heard(mel, np.ones(30, np.uint8)))
    assert [(t.start, t.end, t.cluster) for t in found] == [(0.0, 0.3, 3)]


def test_no_tag_overlaps_another_and_all_are_sure_enough(run: Run) -> None:
    rng = np.random.default_rng(3)
    mel = run.clusters().speech.centroid[rng.integers(0, 6, 400)] + rng.normal(0, 1, (400, 16))
    heard = Heard(mel.astype(np.float16), np.ones(400, np.uint8))
    every = tagger(run, "adaptive", 0.0).heard(heard)
    assert len(every) > 3
    assert all(a.end <= b.start for a, b in pairwise(every))
    least = sorted(t.confidence for t in every)[len(every) // 2]
    assert [t for t in every if t.confidence >= least] == tagger(run, "adaptive", least).heard(heard)


def test_rejected_words_are_not_found_and_named_ones_carry_their_name(run: Run) -> None:
    heard, clusters = speech_of(run, [(40, 90, 2), (200, 250, 4)]), run.clusters()
    journal = Journal(curation_path(run))
    journal.append([make_edit(run, clusters, "speech", "state", 2, value="rejected")])
    journal.append([make_edit(run, clusters, "speech", "name", 4, value="mbwa")])
    found = tagger(run).heard(heard)
    assert [(t.cluster, t.name, t.title) for t in found] == [(4, "mbwa", "mbwa")]


def test_confidence_is_a_share(run: Run) -> None:
    with pytest.raises(UsageError, match="expected 0 to 1"):
        tagger(run, least=1.5)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_searchable(tmp_path_factory.mktemp("tag"))


def rounded(tags: list[Tag]) -> list[Tag]:
    """Tags that equal others where all but the last bits of the confidence do: the math library may add up in another
    order where memory lies otherwise."""
    return [dataclasses.replace(tag, confidence=pytest.approx(tag.confidence, rel=1e-3)) for tag in tags]


def test_recordings_one_by_one_and_side_by_side(real: Run, tmp_path: Path) -> None:
    whole = Tagger(Front(real, torch.device("cpu")), Lexicon(real), 0.0)
    paths = [write_sound(tmp_path / f"{i}.wav", 1.5 + i / 2, i) for i in range(3)]
    (tmp_path / "bad.wav").write_bytes(b"RIFF not a sound at all")
    together = list(whole.recordings([*paths, tmp_path / "bad.wav"]))
    assert [path.name for path, _ in together] == ["0.wav", "1.wav", "2.wav", "bad.wav"]
    assert isinstance(together[3][1], Problem)
    assert together[3][1].kind == "unreadable-speech"
    for path, found in together[:3]:
        [(named, alone)] = list(whole.recordings([path]))
        assert (named, alone.seconds, alone.below) == (path, found.seconds, found.below)
        assert rounded(alone.tags) == found.tags
        assert found.seconds == pytest.approx(soundfile.info(path).duration, abs=0.01)
    assert sum(len(found.tags) for _, found in together[:3]) > 0


def test_a_long_recording_is_tagged_stretch_by_stretch(
    real: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "LONGEST", 2.0)
    monkeypatch.setattr(cutting, "_BLOCK", 0.7)
    monkeypatch.setattr(tagging, "workers_here", lambda: 2)
    whole = Tagger(Front(real, torch.device("cpu")), Lexicon(real), 0.0)
    rng = np.random.default_rng(5)
    samples = np.concatenate([part for _ in range(7) for part in (rng.normal(0, 0.1, 12_800), np.zeros(8_000))])
    soundfile.write(tmp_path / "long.wav", samples, 16_000, "FLOAT")
    [(_, found)] = list(whole.recordings([tmp_path / "long.wav"]))
    assert found.seconds == pytest.approx(9.1)
    one_by_one = []
    for stretch in cutting.stretches(tmp_path / "long.wav", "energy"):
        one_by_one += whole._stretch(stretch)
    assert rounded(one_by_one) == found.tags
    assert found.tags[-1].start > 4
    assert all(a.end <= b.start for a, b in pairwise(found.tags))
