"""Settings become a run's own once a stage has made something with them, not before."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.store.run import Run
from tests.synthetic import make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, media=False).path


def avterm(*arguments: str | Path) -> bool:
    """Whether the command did its work."""
    return CliRunner().invoke(app, [*map(str, arguments)]).exit_code == 0


def test_cluster(run: Path) -> None:
    before = (run / "run.toml").read_bytes()
    assert not avterm("cluster", run, "-k", "6", "--seed", "9")  # clustered with other settings
    assert not avterm("cluster", run, "-k", "9999", "--seed", "9")  # more than there are groundings
    assert not avterm("cluster", run, "-k", "6", "--method", "other", "--redo")
    assert (run / "run.toml").read_bytes() == before
    assert avterm("cluster", run, "-k", "6", "--seed", "9", "--redo")
    assert Run.open(run).config.clustering.seed == 9
    assert avterm("cluster", run, "-k", "5", "--seed", "3")
    assert Run.open(run).config.clustering.seed == 3
    assert avterm("cluster", run, "-k", "6", "--seed", "9")  # there already
    assert Run.open(run).config.clustering.seed == 9


def test_evaluate(run: Path, tmp_path: Path) -> None:
    before = (run / "run.toml").read_bytes()
    assert not avterm("evaluate", run, "--bootstrap", "7", "--words", tmp_path / "nowhere.ctm")
    assert not avterm("evaluate", run, "--bootstrap", "7", "-k", "1234")
    assert (run / "run.toml").read_bytes() == before
    assert avterm("evaluate", run, "--bootstrap", "7")
    assert Run.open(run).config.evaluation.bootstrap == 7
    assert avterm("evaluate", run, "--bootstrap", "5")
    assert Run.open(run).config.evaluation.bootstrap == 5
