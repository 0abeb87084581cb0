"""`avterm report`: what it writes, prints and returns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.store.run import Run
from tests.report.runs import evaluated
from tests.synthetic import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluated(tmp_path_factory.mktemp("command"))


def test_the_page_lies_in_the_run_and_its_path_is_said(run: Run) -> None:
    result = CliRunner().invoke(app, ["-q", "report", str(run.path)])
    assert result.exit_code == 0
    assert result.stdout.startswith(str(run.path / "report.html"))
    assert (run.path / "report.html").stat().st_size > 50_000


def test_json_gives_one_object(run: Run, tmp_path: Path) -> None:
    to = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["-q", "report", str(run.path), "--to", str(to), "-k", "6", "--json"])
    found = json.loads(result.stdout)
    assert (found["path"], found["clusters"], found["bytes"]) == (str(to), 6, to.stat().st_size)


def test_one_figure_of_pairs_from_stdin(run: Run, tmp_path: Path) -> None:
    arguments = ["-q", "report", str(run.path), "--figures", str(tmp_path), "--figure", "1", "--pair", "-"]
    result = CliRunner().invoke(app, arguments, input="pair 2\npair 7\n")
    assert result.exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "figure-1-pair-2.png", "figure-1-pair-2.svg", "figure-1-pair-7.png", "figure-1-pair-7.svg"
    ]  # fmt: skip
    assert len(result.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--figure", "7"], "figure '7' is not known"),
        (["--pair", "nobody"], "nobody: no grounded pair has this id"),
        (["-k", "9"], "no clusters of k = 9; there are: 6"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(run: Run, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["-q", "report", str(run.path), *arguments])
    assert message in str(result.exception)
    assert getattr(result.exception, "exit_code", None) == 2


def test_wrong_options_exit_2(run: Run) -> None:
    assert CliRunner().invoke(app, ["report", str(run.path), "--members", "0"]).exit_code == 2


def test_errors_are_one_line_from_outside(run: Run) -> None:
    command = [sys.executable, "-m", "avterm.cli.main", "-q", "report", str(run.path), "--figure", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_no_run_exits_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert "no run here" in str(result.exception)
    assert getattr(result.exception, "exit_code", None) == 1


def test_strict_fails_where_media_are_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    assert CliRunner().invoke(app, ["-q", "report", str(run.path)]).exit_code == 0
    result = CliRunner().invoke(app, ["-q", "report", str(run.path), "--strict"])
    assert "--strict" in str(result.exception)
    assert (run.path / "report.html").exists()
