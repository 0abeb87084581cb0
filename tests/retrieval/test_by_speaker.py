"""Ranks within and across speakers, against the definition written out, and the stage that keeps them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.corpus.manifest import Corpus
from avterm.model.checkpoint import load_model
from avterm.retrieval import ranked as measuring
from avterm.retrieval.by_speaker import SpeakerRanks, chance
from avterm.retrieval.ranked import ranked
from avterm.retrieval.recall import recall
from avterm.store.run import Run
from avterm.training.data import PairData
from tests.retrieval.support import make_searchable


def naive(scores: np.ndarray, own: list[int], speaker: list[int], way: str, across: bool) -> dict[int, tuple[int, int]]:
    """{caption: (rank, candidates)} of every caption that asks."""
    found = {}
    for i, who in enumerate(speaker):
        if who < 0:
            continue
        if way == "search":
            described = {p for p, s in zip(own, speaker, strict=True) if s >= 0}
            mine = {p for p, s in zip(own, speaker, strict=True) if s == who}
            rivals = (described - mine if across else mine) - {own[i]}
            key = {p: (-scores[i, p], p) for p in {*rivals, own[i]}}
            right = own[i]
        else:
            rivals = {
                j for j, s in enumerate(speaker) if s >= 0 and own[j] != own[i] and (s != who if across else s == who)
            }
            key = {j: (-scores[j, own[i]], j) for j in {*rivals, i}}
            right = i
        if rivals:
            found[i] = sorted(key, key=lambda c: key[c]).index(right), len(key)
    return found


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 5), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_as_the_definition_says(captions: int, pictures: int, chunk: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (captions, pictures)).astype(np.float32)  # ties are common
    own, speaker = rng.integers(0, pictures, captions), rng.integers(-1, 3, captions)
    found = SpeakerRanks(own, pictures, speaker)
    for start in range(0, captions, chunk):
        found.first_pass(start, scores[start : start + chunk])
    for start in range(0, captions, chunk):
        found.second_pass(start, scores[start : start + chunk])
    for way in ("search", "annotation"):
        for company in ("within_speaker", "across_speakers"):
            asking, ranks, candidates = found.ranks(way, company)
            mine = dict(zip(asking.tolist(), zip(ranks.tolist(), candidates.tolist(), strict=True), strict=True))
            assert mine == naive(scores, own.tolist(), speaker.tolist(), way, company == "across_speakers")


def test_chance() -> None:
    assert chance(np.array([5, 20, 40]), 10) == pytest.approx((1 + 0.5 + 0.25) / 3)
    assert np.isnan(chance(np.array([]), 10))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Captions of two speakers; one nobody knows."""
    made = make_searchable(tmp_path_factory.mktemp("speakers"))
    whole = Corpus.load(made.corpus_path)
    who = ["ann", "ann", "bob", "bob", None, "ann"]
    pairs = [dataclasses.replace(p, speaker=s, split="val") for p, s in zip(whole, who, strict=True)]
    Corpus(whole.path, pairs).save()
    return Run.open(made.path)


def test_overall_recall_is_that_of_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    data = PairData(run.corpus, run.features, ["val"])
    model = load_model(run.path / "checkpoints" / "best.safetensors")
    search, annotation = recall(model, data)
    for kept in (1 << 24, 0):
        monkeypatch.setattr(measuring, "_KEPT", kept)
        found = ranked(model, data).summary(rounds=0, seed=1)
        assert found["search"] == search.as_dict()
        assert found["annotation"] == annotation.as_dict()


def test_the_command_prints_both_with_intervals(run: Run, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["retrieve", str(run.path), "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    for name in ("search", "annotation", "search_within_speaker", "annotation_across_speakers"):
        row = found[name]
        low, high = row["r1_interval"]
        assert 0 <= low <= row["r1"] <= high <= 1
        assert row["median_rank_interval"][0] <= row["median_rank"] <= row["median_rank_interval"][1]
    assert found["search_within_speaker"]["captions"] == 4  # p5's picture could not be read, p4's speaker is not known
    assert found["search_within_speaker"]["candidates"] == 2
    assert found["search_within_speaker"]["chance_r10"] == 1
    lines = CliRunner().invoke(app, ["retrieve", str(run.path)]).stdout.splitlines()
    assert [line[:28].strip() for line in lines[2:]] == [
        "search", "annotation", "search within speaker", "annotation within speaker", "search across speakers",
        "annotation across speakers",
    ]  # fmt: skip
    kept = Run.open(run.path).stage("retrieve")
    assert kept is not None
    assert kept["summary"]["search"]["r1"] == found["search"]["r1"]


def test_one_speaker_is_compared_with_nobody(tmp_path: Path) -> None:
    run = make_searchable(tmp_path)
    data = PairData(run.corpus, run.features, ["train"])
    found = ranked(load_model(run.path / "checkpoints" / "best.safetensors"), data).summary(rounds=10, seed=1)
    assert set(found) == {"search", "annotation"}
