"""`avterm cluster`: numbers of clusters that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.errors import UsageError
from avterm.store.run import Run
from tests.synthetic import make_run


@pytest.mark.parametrize("option", ["-k", "--k-image"])
def test_more_clusters_than_groundings_is_wrong_usage(tmp_path: Path, option: str) -> None:
    run = make_run(tmp_path, media=False)
    there = run.ks
    chosen = ["-k", "5", "-k", "49"] if option == "-k" else ["-k", "5", "--k-image", "49"]
    result = CliRunner().invoke(app, ["cluster", str(run.path), *chosen])
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    assert str(result.exception) == f"{option} 49: there are only 48 groundings to cluster; try 2, or -k auto"
    assert Run.open(run.path).ks == there  # the first of them was not made either
