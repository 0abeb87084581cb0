"""`avterm train`, `retrieve` and `info`: exit codes and what they print."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import AvtermError, StoreError, UsageError
from avterm.store.lock import locked

SMALL = ["--set", "vision.pixels=64", "--set", "model.width=0.03", "--set", "model.embedding=8", "--batch", "4"]


def small_corpus(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    pairs = []
    for i in range(8):
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, 12_000), 16_000)
        pairs.append(Pair(f"p{i}", f"{i}.png", f"{i}.wav", "val" if i > 5 else "train"))
    (folder / "0.wav").write_bytes(b"")
    Corpus(folder / "corpus.jsonl", pairs).save()
    return folder


def test_from_corpus_to_recall(tmp_path: Path) -> None:
    runner, run = CliRunner(), str(tmp_path / "run")
    corpus = str(small_corpus(tmp_path))
    base = ["train", run, "--corpus", corpus, "--preset", "modern", "--epochs", "2", *SMALL]
    result = runner.invoke(app, [*base, "--set", "speech.vad=energy", "--json"])
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["epochs"] == 2
    assert "left out 1 of 8" in result.stderr
    again = runner.invoke(app, ["train", run, "--strict"])
    assert isinstance(again.exception, AvtermError)  # one recording is empty
    found = json.loads(runner.invoke(app, ["retrieve", run, "--json"]).stdout)
    assert found["pairs"] == 2
    assert runner.invoke(app, ["info", run]).exit_code == 0
    assert isinstance(runner.invoke(app, ["train", run, "--epochs", "9"]).exception, StoreError)
    assert isinstance(runner.invoke(app, ["train", str(tmp_path / "new")]).exception, UsageError)
    result = runner.invoke(app, ["train", run, "--epochs", "3", "--redo", "--json"])
    assert json.loads(result.stdout)["epochs"] == 3
    with locked(tmp_path / "run"):
        held = runner.invoke(app, ["ground", run])
    assert isinstance(held.exception, StoreError)
    assert "process" in str(held.exception)
