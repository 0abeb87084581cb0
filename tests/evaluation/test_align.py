"""Forced alignment of synthesised speech, whose word times are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.recording import record, write_flac
from avterm.corpus.synthesis import Voice
from avterm.corpus.words import Word, read_words
from avterm.errors import StoreError, UsageError
from avterm.evaluation import align as module
from avterm.evaluation.align import align, tokens
from avterm.progress import Silent

SAID = "a lighthouse stands beside the castle"


def make_corpus(folder: Path) -> tuple[Corpus, dict[str, list[Word]]]:
    folder.mkdir()
    spoken = record(SAID, Voice("ann", "en-us", 150, 50, 50, 1), np.random.default_rng(1))
    write_flac(folder / "good.flac", spoken.samples)
    soundfile.write(folder / "noise.flac", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    (folder / "broken.flac").write_bytes(b"no sound")
    pairs = [
        Pair("good", "p.png", "good.flac", text="A lighthouse stands beside the castle."),
        Pair("unknown", "p.png", "good.flac", text="A lighthouse stands beside the xqzzt castle."),
        Pair("german", "p.png", "good.flac", language="de", text="ein Leuchtturm"),
        Pair("british", "p.png", "good.flac", language="en-GB", text=SAID),
        Pair("mute", "p.png", "good.flac"),
        Pair("wrong", "p.png", "noise.flac", text=f"{SAID} {SAID} {SAID} {SAID}"),
        Pair("broken", "p.png", "broken.flac", text=SAID),
        Pair("nothing known", "p.png", "good.flac", text="xqzzt"),
    ]
    corpus = Corpus(folder / "corpus.jsonl", pairs)
    corpus.save()
    return corpus, {"good": list(spoken.words)}


def test_words_are_placed_where_they_are_spoken(tmp_path: Path) -> None:
    corpus, truth = make_corpus(tmp_path / "c")
    progress = Silent()
    done = align(corpus, tmp_path / "words.jsonl", progress)
    found = read_words(tmp_path / "words.jsonl", corpus)
    assert set(found) == {"good", "british", "unknown"}
    assert [w.word for w in found["good"]] == SAID.split()
    errors = [abs(a.start - b.start) for a, b in zip(found["good"], truth["good"], strict=True)]
    assert np.median(errors) < 0.05
    assert found["good"] == found["british"]  # whatever was aligned before
    assert [w.word for w in found["unknown"]] == SAID.split()
    kinds = {p.id: p.kind for p in progress.problems}
    assert kinds == {
        "unknown": "unknown", "german": "language", "mute": "text", "wrong": "unaligned", "broken": "sound",
        "nothing known": "unknown",
    }  # fmt: skip
    assert (done.captions, done.placed, done.unknown) == (3, 18, {"xqzzt": 2})
    assert done.unplaced == 1 + 2 + 24 + 6 + 1


def test_words_of_a_transcript() -> None:
    assert tokens("It’s a well-known dog, isn't it? (Yes!) 3 naïve_cats --") == [
        "it's", "a", "well-known", "dog", "isn't", "it", "yes", "3", "naïve", "cats",
    ]  # fmt: skip
    assert tokens("") == []


def test_command(tmp_path: Path) -> None:
    corpus, _ = make_corpus(tmp_path / "c")
    runner = CliRunner()
    result = runner.invoke(app, ["align", str(corpus.path.parent), "--jobs", "1", "--json"])
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["placed"] == 18
    assert corpus.words_path.exists()
    again = runner.invoke(app, ["align", str(corpus.path), "--jobs", "1"])
    assert isinstance(again.exception, StoreError)
    strict = runner.invoke(app, ["align", str(corpus.path), "--jobs", "1", "--redo", "--strict"])
    assert strict.exit_code == 1
    assert "xqzzt 2" in strict.stdout


def test_missing_pocketsphinx_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    corpus, _ = make_corpus(tmp_path / "c")
    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(UsageError, match="avterm\\[align\\]"):
        align(corpus, tmp_path / "words.jsonl", Silent())
