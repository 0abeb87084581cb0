"""The whole pipeline on the real corpora, held to the floors that the README states. Minutes long; CI runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.corpora


def avterm(*arguments: str | Path) -> str:
    """Run the command as a user would; its stdout."""
    command = [sys.executable, "-m", "avterm.cli.main", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def last(text: str) -> Any:
    return json.loads(text.strip().splitlines()[-1])


def test_spoken_digits(corpora: Path, tmp_path: Path) -> None:
    corpus, run = tmp_path / "corpus", tmp_path / "run"
    assert last(avterm("corpus", "import", corpora / "spoken-digits", "--to", corpus, "--json"))["pairs"] == 1500
    avterm("train", run, "--corpus", corpus, "--preset", "modern")
    recall = last(avterm("retrieve", run, "--json"))
    assert min(recall[way]["r10"] for way in ("search", "annotation")) >= 0.80
    avterm("ground", run)
    avterm("cluster", run, "-k", "50")
    found = last(avterm("evaluate", run, "--json", "--bootstrap", "0"))
    assert found["purity"] >= 0.95
    assert found["pointing"] >= 0.95
    assert found["iou"] >= 0.45
    assert found["boundaries"] >= 0.60
    labels = {
        row["label"]
        for row in map(json.loads, avterm("evaluate", run, "--table", "3", "--format", "json").splitlines())
    }
    assert labels >= {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}


def test_flickr_photos(corpora: Path, tmp_path: Path) -> None:
    corpus, run = tmp_path / "corpus", tmp_path / "run"
    assert last(avterm("corpus", "import", corpora / "flickr-photos", "--to", corpus, "--json"))["pairs"] == 800
    avterm("corpus", "check", corpus)
    avterm("train", run, "--corpus", corpus, "--preset", "scenes")
    recall = last(avterm("retrieve", run, "--json"))
    # The aim is .50 (docs/model.md); of 100 pictures, what the order of additions changes is some hundredths.
    assert min(recall[way]["r10"] for way in ("search", "annotation")) >= 0.45
