"""Which word a segment is, and how surely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avterm.errors import BadInput
from avterm.retrieval.lexicon import CONSTANT, DISTANCE, MARGIN, VARIANCE, Lexicon, common_lengths
from avterm.store.curation import curation_path, make_edit
from avterm.store.journal import Journal
from avterm.store.run import Run
from tests.synthetic import make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, media=False)


def decide(run: Run, kind: str, cluster: int, **values: object) -> None:
    Journal(curation_path(run)).append([make_edit(run, run.clusters(), "speech", kind, cluster, **values)])


def test_segments_go_to_their_cluster_with_the_confidence_of_the_definition(run: Run) -> None:
    lexicon, speech = Lexicon(run), run.clusters().speech
    stored = run.groundings.embeddings("speech")[:].astype(np.float32)
    nearest, sure = lexicon.judge(stored)
    assert nearest.tolist() == speech.assignment.tolist()
    total = np.square(stored - stored.mean(0)).sum(1).mean()
    assert lexicon.total == pytest.approx(total, rel=1e-3)
    for row in (0, 11, 40):
        gaps = np.square(speech.centroid - stored[row]).sum(1)
        own = int(gaps.argmin())
        other = min(g for c, g in enumerate(gaps) if not lexicon.word[own, c])
        margin = (other - gaps[own]) / (other + gaps[own])
        score = CONSTANT + MARGIN * margin + (DISTANCE * gaps[own] + VARIANCE * speech.variance[own]) / total
        assert sure[row] == pytest.approx(1 / (1 + np.exp(-score)), rel=1e-3)


def test_the_farther_the_less_sure(run: Run) -> None:
    lexicon = Lexicon(run)
    away = np.array([0.0, 1.0, 2.0, 3.0])[:, None] * np.eye(16, dtype=np.float32)[:1]
    nearest, sure = lexicon.judge(lexicon.centroid[:1] + away.astype(np.float32))
    kept = nearest == 0
    assert (np.diff(sure[kept]) < 0).all()
    assert ((sure > 0) & (sure < 1)).all()


def test_rejected_clusters_are_no_answer_and_leave_none_to_others(run: Run) -> None:
    before = Lexicon(run).judge(Lexicon(run).centroid)
    decide(run, "state", 4, value="rejected")
    nearest, sure = Lexicon(run).judge(Lexicon(run).centroid)
    assert nearest.tolist() == before[0].tolist()
    assert sure[4] == 0
    assert (np.delete(sure, 4) == np.delete(before[1], 4)).all()
    decide(run, "state", 1, value="accepted")
    assert np.flatnonzero(Lexicon(run, keep="accepted").judge(Lexicon(run).centroid)[1]).tolist() == [1]


def test_acceptance_takes_the_place_of_the_variance(run: Run) -> None:
    before = Lexicon(run).judge(Lexicon(run).centroid)[1]
    decide(run, "state", 2, value="accepted")
    after = Lexicon(run).judge(Lexicon(run).centroid)[1]
    assert after[2] > before[2]
    assert (np.delete(after, 2) == np.delete(before, 2)).all()


def test_merged_clusters_answer_as_one_and_do_not_compete(run: Run) -> None:
    between = (Lexicon(run).centroid[[0]] + Lexicon(run).centroid[[3]]) / 2
    doubtful = Lexicon(run).judge(between)[1][0]
    decide(run, "merge", 3, into=0)
    decide(run, "name", 0, value="house")
    lexicon = Lexicon(run)
    assert lexicon.entries[3].cluster == 0
    assert lexicon.entries[3].name == "house"
    assert lexicon.word[0, 3]
    assert not lexicon.word[0, 1]
    assert lexicon.judge(between)[1][0] > doubtful


def test_clusters_of_one_name_do_not_compete(run: Run) -> None:
    decide(run, "name", 1, value="boat")
    decide(run, "name", 5, value="boat")
    word = Lexicon(run).word
    assert word[1, 5]
    assert word[5, 1]
    assert not word[0, 5]


def test_lengths_are_those_of_the_runs_segments(run: Run) -> None:
    assert common_lengths(run.groundings, 10) == (50, 50)
    assert common_lengths(run.groundings, 20) == (40, 60)


def test_clusters_without_members_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = run.clusters()
    clusters.speech.size[:] = 0
    monkeypatch.setattr(run, "clusters", lambda k=None: clusters)
    with pytest.raises(BadInput, match="are empty"):
        Lexicon(run)
