"""Segments grounded with how they sound, clustered by it, with a cluster for noise, and heard again by it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from avterm.clustering.kmeans import kmeans
from avterm.clustering.stage import cluster
from avterm.config import override
from avterm.errors import ConfigError, StoreError, UsageError
from avterm.export.discovered import Discovered
from avterm.grounding.grounder import Grounded, Grounder
from avterm.grounding.stage import ground
from avterm.progress import Silent
from avterm.report.source import Source
from avterm.retrieval.front import Front
from avterm.retrieval.lexicon import Lexicon
from avterm.retrieval.near import NearClusters
from avterm.retrieval.tag import Tagger
from avterm.store.curation import curation_path, make_edit, read_curation
from avterm.store.groundings import SOUND
from avterm.store.journal import Journal
from avterm.store.run import Run
from avterm.tui.rows import build_rows
from tests.grounding.support import make_groundable, untrained_backbone
from tests.retrieval.support import small_config
from tests.synthetic import make_run
from tests.tui.support import session_of


@pytest.fixture(autouse=True)
def one_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avterm.grounding.grounder.load_backbone", lambda *_: untrained_backbone())


def grounded(folder: Path, road: str = "shared") -> Run:
    config = override(small_config(), {"grounding": {"sound": True, "road": road}}, "test")
    run = make_groundable(folder, config)
    ground(run, Silent())
    return run


@pytest.mark.parametrize("road", ["exact", "shared"])
def test_sounds_are_means_of_what_goes_into_the_last_layer(tmp_path: Path, road: str) -> None:
    run = grounded(tmp_path, road)
    grounder = Grounder(run, run.config.grounding, torch.device("cpu"))
    stored, model = run.groundings.embeddings(SOUND)[:], grounder.model
    kept: list[torch.Tensor] = []
    model.speech.blocks[-1].register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    row = 0
    for id in run.groundings.ids:
        mel = torch.from_numpy(run.features.mel(id).astype(np.float32))
        for a, b in run.groundings.of_pair(id).segment.tolist():
            part = mel[a:b] if road == "exact" else mel
            kept.clear()
            with torch.inference_mode():
                model.embed_speech(part[None], torch.tensor([len(part)]))
            frames = kept[0][0].T[: -(-len(part) // model.stride)]
            fine = frames.repeat_interleave(model.stride, 0)  # one row a mel frame
            expected = frames.mean(0) if road == "exact" else fine[a:b].mean(0)
            np.testing.assert_allclose(stored[row].astype(np.float32), expected, rtol=2e-3, atol=2e-3)
            row += 1
    assert row == len(stored) > 5


def test_clusters_by_sound_keep_centroids_of_both_kinds(tmp_path: Path) -> None:
    run = grounded(tmp_path)
    config = dataclasses.replace(run.config.clustering, k=4, sound=True, noise=0.3, method="spherical")
    cluster(run, config, Silent())
    store, clusters = run.groundings, run.clusters(4)
    alone = kmeans(store.embeddings(SOUND)[:], 4, noise=0.3, spherical=True)
    np.testing.assert_array_equal(clusters.speech.assignment, alone.assignment)
    np.testing.assert_allclose(clusters.speech.measured, alone.centroid, atol=1e-5)
    assert clusters.noise == 3
    assert clusters.speech.size[3] == round(0.3 * len(store))
    speech = store.embeddings("speech")[:].astype(np.float64)
    for c in np.flatnonzero(clusters.speech.size):
        mean = speech[clusters.speech.assignment == c].mean(0)
        np.testing.assert_allclose(clusters.speech.centroid[c], mean, rtol=1e-4, atol=1e-5)
    assert cluster(run, config, Silent()).already


def test_speech_is_heard_by_its_sound_and_never_as_noise(tmp_path: Path) -> None:
    run = grounded(tmp_path)
    cluster(run, dataclasses.replace(run.config.clustering, k=4, sound=True, noise=0.3), Silent())
    lexicon, front = Lexicon(run, 4), Front(run, torch.device("cpu"))
    nearest, sure = lexicon.judge(run.groundings.embeddings(SOUND)[:].astype(np.float32))
    assignment = run.clusters(4).speech.assignment
    assert (sure[assignment == 3] == 0).all()
    assert (sure[assignment != 3] > 0).all()
    np.testing.assert_array_equal(lexicon.filled[nearest[assignment != 3]], assignment[assignment != 3])
    tagger = Tagger(front, lexicon, 0.0)
    tags = [tag for id in run.groundings.ids for tag in tagger.heard(front.heard_of(run.corpus[id]))]
    assert tags
    assert 3 not in {tag.cluster for tag in tags}
    near = NearClusters(run, run.clusters(4)).nearest("speech", "speech", run.clusters(4).speech.centroid, {}, 9)
    assert len(near) == 3
    assert 3 not in {found.about["cluster"] for found in near}


def test_noise_is_no_word_to_anybody(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    cluster(run, dataclasses.replace(run.config.clustering, k=6, noise=0.5), Silent(), redo=True)
    clusters = run.clusters(6)
    assert clusters.affinity[:, 5].sum() > clusters.affinity[:, :5].sum(0).max()
    assert 5 not in clusters.speech_of_image
    row = build_rows(clusters, "speech", None, None)[5]
    assert (row.label, row.size) == ("(noise)", len(run.groundings) // 2)
    assert 5 not in {f.cluster for f in Discovered(run, 6).facts}
    assert 5 not in Discovered(run, 6).cluster
    assert 5 in Discovered(run, 6, keep="all").cluster
    with pytest.raises(UsageError, match="cannot be merged"):
        make_edit(run, clusters, "speech", "merge", 2, into=5)
    names = [make_edit(run, clusters, "speech", "name", c, value=f"word {c}") for c in range(5)]
    Journal(curation_path(run)).append(names)
    cluster(run, dataclasses.replace(run.config.clustering, k=6, noise=0.8), Silent(), redo=True)
    assert read_curation(run, 6).name(5) is None  # though most of some word's segments may lie there now
    assert read_curation(run, 6).unplaced
    source = Source(run, 6)
    assert source.facts[5].title == "(noise)"
    assert 5 not in {f.cluster for f in source.standing()}
    assert not source.labelled
    session = session_of(run, k=6)
    assert session.name("speech", 5) == "(noise)"
    assert 5 not in {c for i in range(6) for c, _ in session.linked("image", i)}
    assert 5 not in {c for i in range(5) for c, _ in session.nearest("speech", i)}


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    run = make_groundable(tmp_path, small_config())
    ground(run, Silent())
    with pytest.raises(StoreError, match="no sounds to cluster by"):
        cluster(run, dataclasses.replace(run.config.clustering, k=3, sound=True), Silent())
    cluster(run, dataclasses.replace(run.config.clustering, k=3, noise=1e-6), Silent())  # of no segment
    assert run.clusters(3).noise is None
    with pytest.raises(ConfigError, match=r"clustering.noise: expected a share"):
        cluster(run, dataclasses.replace(run.config.clustering, k=3, noise=1.0), Silent())


def test_sounds_are_kept_only_where_asked_for(tmp_path: Path) -> None:
    run = make_groundable(tmp_path, small_config())
    pairs = [p for p in run.corpus if p.id == "p0"]
    found = Grounder(run, run.config.grounding, torch.device("cpu")).ground(pairs)[0]
    assert isinstance(found, Grounded)
    assert found.sound is None
