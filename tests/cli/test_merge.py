"""`avterm merge` and `avterm info` on runs whose stages were made in shares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.errors import AvtermError, StoreError
from avterm.store.run import Run
from tests.cli.test_features import FAST, corpus  # noqa: F401 (a fixture)
from tests.grounding.support import make_groundable


def avterm(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout, and the error's message."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    error = result.exception if isinstance(result.exception, AvtermError) else None
    if result.exception is not None and error is None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, str(error or "")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.h5"))}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_groundable(tmp_path).path


def test_shares_of_groundings_become_what_one_process_makes(run: Path) -> None:
    assert avterm("ground", run)[0] == 0
    whole, stage = contents(run / "groundings"), (run / "stages" / "ground.json").read_bytes()
    for path in (run / "groundings").glob("*.h5"):
        path.unlink()
    (run / "stages" / "ground.json").unlink()
    assert avterm("ground", run, "--shard", "1/3")[0] == 0

    code, out, error = avterm("merge", run, "--stage", "ground")
    assert code == 1
    assert out.splitlines() == ["ground: 3 shards", "  2 missing: 00000, 00002"]
    assert "ground cannot be finished" in error
    code, out, _ = avterm("merge", run, "--stage", "ground", "--json")
    assert code == 1
    assert json.loads(out) == {
        "stage": "ground", "shards": 3, "finished": False, "missing": ["00000", "00002"], "damaged": [], "other": [],
    }  # fmt: skip
    assert Run.open(run).stage("ground") is None
    assert "ground    2 of 3 shards missing: 00000, 00002" in avterm("info", run)[1]
    shards = json.loads(avterm("info", run, "--json")[1])["shards"]
    assert shards["ground"] == {"of": 3, "missing": ["00000", "00002"]}

    for share in ("0/3", "2/3"):
        assert avterm("ground", run, "--shard", share)[0] == 0
    assert "ground    all 3 shards there" in avterm("info", run)[1]
    code, out, _ = avterm("merge", run, "--stage", "ground")
    assert (code, out) == (0, "ground: 3 shards, all there\n")
    assert contents(run / "groundings") == whole
    assert (run / "stages" / "ground.json").read_bytes() == stage
    assert "pairs 3" in avterm("info", run)[1]
    assert avterm("merge", run, "--stage", "ground")[0] == 0


def test_damaged_and_foreign_shards_are_named(run: Path) -> None:
    assert avterm("ground", run)[0] == 0
    path = run / "groundings" / "00001.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + b"abc")
    code, out, error = avterm("merge", run, "--stage", "ground")
    assert (code, out.splitlines()[1]) == (1, "  1 damaged: 00001")
    assert "--redo also what is damaged" in error
    path.write_bytes(whole)
    assert avterm("ground", run, "--set", "grounding.max_kept=2", "--redo", "--shard", "0/3")[0] == 0
    code, out, _ = avterm("merge", run, "--stage", "ground")
    assert (code, out.splitlines()[1]) == (1, "  2 other: 00001, 00002")


def test_shares_of_features(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("avterm.store.features.PER_SHARD", 1)
    run = tmp_path / "run"
    assert avterm("features", tmp_path / "whole", "--corpus", corpus, *FAST)[0] == 0
    assert avterm("features", run, "--corpus", corpus, "--shard", "1/2", *FAST)[0] == 0
    code, out, _ = avterm("merge", run)
    assert (code, out.splitlines()) == (
        1,
        ["features: 6 shards", "  4 missing: speech-00000, speech-00002, images-00000, images-00002"],
    )
    assert avterm("features", run, "--shard", "0/2")[0] == 0
    assert avterm("merge", run)[:2] == (0, "features: 6 shards, all there\n")
    assert contents(run / "features") == contents(tmp_path / "whole" / "features")
    assert Run.open(run).stage("features") == Run.open(tmp_path / "whole").stage("features")


def test_a_run_without_shards_or_without_a_model(run: Path, tmp_path: Path) -> None:
    for path in Run.open(run).features_path.glob("*.h5"):
        path.unlink()
    code, _, error = avterm("merge", run)
    assert code == 1
    assert "no shards here yet" in error
    (run / "checkpoints" / "best.safetensors").unlink()
    assert "no trained model here" in avterm("merge", run, "--stage", "ground")[2]
    assert avterm("merge", tmp_path / "nowhere")[0] == 1
    assert avterm("merge")[0] == 2
    assert avterm("merge", run, "--stage", "clusters")[0] == 2
    with pytest.raises(StoreError):
        Run.open(tmp_path / "nowhere")
