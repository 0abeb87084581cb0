"""`corpus demo` and `corpus speak`, by their exit codes and what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from avterm.cli.speak import register_corpus
from avterm.errors import AvtermError, UsageError

app = typer.Typer()
register_corpus(app)
runner = CliRunner()


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    path = tmp_path / "captions.csv"
    path.write_text("image,text\na.png,a dog\na.png,\n")
    return path


def test_demo_makes_a_corpus(tmp_path: Path) -> None:
    result = runner.invoke(app, ["demo", str(tmp_path), "--pairs", "3", "--jobs", "1", "--json"])
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert (facts["pairs"], facts["languages"]) == (3, ["en"])
    assert (tmp_path / "boxes.jsonl").is_file()


def test_speak_says_what_was_left_out(captions: Path, tmp_path: Path) -> None:
    to = str(tmp_path / "out")
    result = runner.invoke(app, ["speak", str(captions), "--to", to, "--jobs", "1"])
    assert result.exit_code == 0
    assert "1 pairs (1 train), 1 pictures" in result.stdout
    assert "left out 1 of 2 captions: 1 empty" in result.stderr
    result = runner.invoke(app, ["speak", str(captions), "--to", to, "--jobs", "1", "--strict"])
    assert result.exit_code == 1
    assert isinstance(result.exception, AvtermError)


def test_wrong_usage(captions: Path, tmp_path: Path) -> None:
    assert runner.invoke(app, ["speak", str(captions)]).exit_code == 2
    assert runner.invoke(app, ["demo"]).exit_code == 2
    for wrong in (["--captions", "some"], ["--captions", "0"], ["--jobs", "-1"]):
        result = runner.invoke(app, ["speak", str(captions), "--to", str(tmp_path / "out"), *wrong])
        assert isinstance(result.exception, UsageError)
