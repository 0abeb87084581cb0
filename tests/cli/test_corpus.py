"""`avterm corpus check`, and files that are named and not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avterm.cli import common
from avterm.cli.bars import RichProgress
from avterm.cli.main import app
from avterm.errors import BadInput
from tests.synthetic import make_run


@pytest.mark.parametrize("terminal", [False, True])
def test_check_names_every_problem_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    if terminal:
        monkeypatch.setattr(common, "reporter", lambda named=True: RichProgress(named))
        monkeypatch.setattr("avterm.cli.corpus.reporter", common.reporter)
    folder = make_run(tmp_path).corpus.path.parent
    (folder / "3.flac").unlink()
    (folder / "5.png").write_bytes(b"no picture")
    result = CliRunner().invoke(app, ["corpus", "check", str(folder), "--jobs", "1"])
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines[:2]] == [["pair 3", "missing"], ["pair 5", "undecodable"]]
    assert lines[2:] == ["12 pairs: 2 problems"]
    assert "pair 3" not in result.stderr
    assert "pair 5" not in result.stderr
    result = CliRunner().invoke(app, ["corpus", "check", str(folder), "--jobs", "1", "--json"])
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["pair 3", "pair 5"]


@pytest.mark.parametrize("name", ["nope.ctm", "nope.jsonl", "nope.json", "nope.csv", "nope.TextGrid", "nope.eaf"])
@pytest.mark.parametrize("option", ["--words", "--phones"])
def test_word_times_that_are_not_there_are_one_line(tmp_path: Path, name: str, option: str) -> None:
    run = make_run(tmp_path, media=False)
    result = CliRunner().invoke(app, ["evaluate", str(run.path), option, str(tmp_path / name)])
    assert result.exit_code == 1
    assert isinstance(result.exception, BadInput)
    assert str(result.exception) == f"{tmp_path / name}: no such file"


def test_boxes_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    result = CliRunner().invoke(app, ["evaluate", str(run.path), "--boxes", str(tmp_path / "nope.json")])
    assert str(result.exception) == f"{tmp_path / 'nope.json'}: no such file"
