"""Stages on every engine give the same bytes, also where a worker is killed in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from avterm.clustering.source import BLOCK
from avterm.clustering.stage import cluster
from avterm.corpus.boxes import boxes_of
from avterm.corpus.manifest import Corpus
from avterm.corpus.words import words_of
from avterm.engine.features import compute_features
from avterm.engine.mapping import HERE, Engine, Report
from avterm.evaluation.stage import evaluate
from avterm.grounding.stage import ground
from avterm.progress import Silent
from avterm.store.run import Run
from tests.engine.test_features import SPEECH, VISION, corpus  # noqa: F401 (a fixture)
from tests.grounding.support import make_groundable
from tests.synthetic import make_run


class Deadly:
    """An engine whose worker is killed once it has made the shards of its second task."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def map(self, work: Any, tasks: Sequence[Any], report: Report, gpu: bool = False) -> Any:
        return self.engine.map(partial(_deadly, self.folder, work), list(enumerate(tasks)), report, gpu)


def _deadly(folder: Path, work: Any, task: tuple[int, Any], report: Report) -> Any:
    answer = work(task[1], report)
    if task[0] == 1 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.h5"))}


@pytest.mark.parametrize("name", ["processes", "cluster"])
def test_features(
    corpus: Corpus,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    name: str,
) -> None:
    monkeypatch.setattr("avterm.store.features.PER_SHARD", 2)
    found = {}
    for where, engine in (("plain", HERE), ("apart", Deadly(request.getfixturevalue(name), tmp_path))):
        progress = Silent()
        summary = compute_features(corpus, tmp_path / where, SPEECH, VISION, progress, device="cpu", engine=engine)
        found[where] = (summary, sorted(map(str, progress.problems)), contents(tmp_path / where))
    assert (tmp_path / "died").exists()
    assert len(found["plain"][2]) == 7
    assert found["apart"] == found["plain"]


@pytest.mark.parametrize("name", ["processes", "cluster"])
def test_ground(tmp_path: Path, request: pytest.FixtureRequest, name: str) -> None:
    run = make_groundable(tmp_path)
    found = []
    for engine in (HERE, Deadly(request.getfixturevalue(name), tmp_path)):
        for path in (run.path / "groundings").glob("*.h5"):
            path.unlink()
        run.unfinish("ground")
        progress = Silent()
        summary = ground(Run.open(run.path), progress, device="cpu", engine=engine)
        told = [str(problem) for problem in progress.problems]
        found.append((summary.as_dict(), told, contents(run.path / "groundings"), run.stage("ground")))
    assert (tmp_path / "died").exists()
    assert len(found[0][2]) == 3
    assert found[1] == found[0]


@pytest.mark.parametrize("method", ["kmeans", "spherical"])
@pytest.mark.parametrize("name", ["processes", "cluster"])
def test_cluster_and_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, name: str, method: str
) -> None:
    monkeypatch.setattr("avterm.clustering.parts.BLOCKS", 1)
    run = make_run(tmp_path, pairs=2 * BLOCK // 3 + 50, per_pair=3, media=False)  # three parts, the last one short
    assert len(run.groundings) == 2 * BLOCK + 150 - 2 * BLOCK % 3
    words, boxes = words_of(run.corpus, None, None), boxes_of(run.corpus, None)
    run.config = replace(run.config, evaluation=replace(run.config.evaluation, bootstrap=5))
    config = replace(run.config.clustering, k=7, k_image=5, method=method)
    found = []
    for engine in (HERE, Deadly(request.getfixturevalue(name), tmp_path)):
        cluster(run, config, Silent(), redo=True, engine=engine)
        (run.path / "evaluation" / "k00007.json").unlink(missing_ok=True)
        (run.path / "evaluation" / "labels.h5").unlink(missing_ok=True)
        evaluate(run, [7], words, boxes, Silent(), engine=engine)
        found.append({p.name: p.read_bytes() for p in sorted(run.path.rglob("*")) if p.is_file()})
    assert (tmp_path / "died").exists()
    assert {"k00007.h5", "k00007.json", "labels.h5"} <= set(found[0])
    assert found[1] == found[0]
