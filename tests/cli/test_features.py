"""`avterm features`: begins a run, goes on, refuses, counts what was left out; exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import AvtermError, BadInput, StoreError, UsageError
from avterm.store.run import Run
from avterm.vision import vgg16

FAST = ["--set", "vision.weights=random", "--set", "vision.pixels=64", "--vad", "energy"]
FAST += ["--backbone", "efficientnet-lite0"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, 16_000), 16_000)
    (folder / "2.wav").write_bytes(b"nothing")
    Corpus(folder / "corpus.jsonl", [Pair(f"p{i}", f"{i}.png", f"{i}.wav") for i in range(3)]).save()
    return folder


def features(*arguments: str | Path) -> tuple[int, str, str, BaseException | None]:
    result = CliRunner().invoke(app, ["features", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr, result.exception


def test_begins_a_run_and_goes_on(corpus: Path, tmp_path: Path) -> None:
    code, out, err, _ = features(tmp_path / "run", "--corpus", corpus, *FAST)
    assert code == 0
    assert out.startswith("features of 2 captions, 3 pictures (2 shards made, 0 there)\n")
    assert "left out p2: unreadable-speech" in err
    assert "left out 1 of 3 pairs: 1 unreadable-speech" in err
    code, out, err, _ = features(tmp_path / "run", "--json")
    assert code == 0
    assert json.loads(out) == {"pairs": 2, "pictures": 3, "left_out": 1, "made": 0, "kept": 2}
    assert "left out p2" in err
    assert Run.open(tmp_path / "run").stage("features") is not None


@pytest.mark.parametrize("command", ["features", "train"])
@pytest.mark.parametrize("engine", ["threads", "local"])
def test_missing_weights_are_noticed_before_any_work(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, engine: str
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(vgg16, "load_state_dict_from_url", offline)
    options = ["--engine", engine] if command == "features" else []
    result = CliRunner().invoke(app, [command, str(tmp_path / "run"), "--corpus", str(corpus), *options])
    assert result.exit_code == 1
    assert isinstance(result.exception, BadInput)
    assert "--set vision.weights=FILE, or take --preset modern" in str(result.exception)
    assert "speech features" not in result.stderr
    assert not list(tmp_path.rglob("*.h5"))
    code, _, err, _ = features(tmp_path / "run", "--preset", "modern", *FAST)  # as the line says
    assert (code, "no route" in err) == (0, False)


def test_strict_is_a_failure_after_the_work(corpus: Path, tmp_path: Path) -> None:
    code, _, _, error = features(tmp_path / "run", "--corpus", corpus, "--strict", *FAST)
    assert code == 1
    assert isinstance(error, AvtermError)
    assert len(list((tmp_path / "run" / "features").glob("*.h5"))) == 2


def test_other_settings_need_redo(corpus: Path, tmp_path: Path) -> None:
    assert features(tmp_path / "run", "--corpus", corpus, *FAST)[0] == 0
    code, _, _, error = features(tmp_path / "run", "--vad", "none")
    assert code == 1
    assert "was made with speech.vad = 'energy', not 'none'" in str(error)
    assert features(tmp_path / "run", "--vad", "none", "--redo")[0] == 0
    assert Run.open(tmp_path / "run").config.speech.vad == "none"
    (tmp_path / "run" / "checkpoints").mkdir()
    code, _, _, error = features(tmp_path / "run", "--vad", "energy", "--redo")
    assert isinstance(error, StoreError)


def test_features_may_lie_elsewhere_and_be_shared(corpus: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared features"
    assert features(tmp_path / "a", "--corpus", corpus, "--features", shared, *FAST)[0] == 0
    code, out, _, _ = features(tmp_path / "b", "--corpus", corpus, "--features", shared, *FAST)
    assert code == 0
    assert "(0 shards made, 2 there)" in out
    assert not (tmp_path / "b" / "features").exists()


def test_shares_of_the_shards(corpus: Path, tmp_path: Path) -> None:
    code, out, _, _ = features(tmp_path / "run", "--corpus", corpus, "--shard", "0/2", *FAST)
    assert code == 0
    assert "when all shares are made" in out
    assert features(tmp_path / "run", "--shard", "1/2")[0] == 0
    assert Run.open(tmp_path / "run").stage("features") is None
    assert "2 there" in features(tmp_path / "run")[1]


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (["--shard", "2/2"], UsageError, "--shard '2/2'"),
        (["--device", "abacus"], UsageError, "--device abacus"),
        (["--vad", "loud"], UsageError, r"speech\.vad"),
        (["--backbone", "resnet"], UsageError, r"vision\.backbone"),
        (["--set", "vision.pixel=3"], UsageError, "did you mean 'pixels'"),
        (["--preset", "moderne"], UsageError, "did you mean 'modern'"),
    ],
)
def test_wrong_usage_is_exit_2(corpus: Path, tmp_path: Path, arguments: list[str], kind: type, says: str) -> None:
    _, _, _, error = features(tmp_path / "run", "--corpus", corpus, *arguments)
    with pytest.raises(kind, match=says):
        raise error  # type: ignore[misc]
    assert isinstance(error, AvtermError)
    assert error.exit_code == 2


def test_a_run_is_not_begun_on_nothing(corpus: Path, tmp_path: Path) -> None:
    assert isinstance(features(tmp_path / "run")[3], UsageError)
    assert isinstance(features(tmp_path / "run", "--corpus", tmp_path / "none")[3], BadInput)
    (corpus / "empty.jsonl").write_text("")
    assert isinstance(features(tmp_path / "run", "--corpus", corpus / "empty.jsonl")[3], StoreError)
    assert not (tmp_path / "run").exists()


def test_another_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    assert features(tmp_path / "run", "--corpus", corpus, *FAST)[0] == 0
    (corpus / "other.jsonl").write_text((corpus / "corpus.jsonl").read_text())
    code, _, _, error = features(tmp_path / "run", "--corpus", corpus / "other.jsonl")
    assert code == 1
    assert "is a run on" in str(error)
    assert features(tmp_path / "run", "--corpus", corpus / "corpus.jsonl")[0] == 0


def test_end_to_end_exit_codes(corpus: Path, tmp_path: Path) -> None:
    def shell(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "avterm.cli.main", "features", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = shell(tmp_path / "run", "--corpus", corpus, "--strict", *FAST)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "avterm: left out 1 of 3 pairs: 1 unreadable-speech (--strict)"
    assert "Traceback" not in done.stderr
