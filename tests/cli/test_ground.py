"""`avterm ground`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.errors import AvtermError, ConfigError, StoreError, UsageError
from avterm.store.run import Run
from tests.grounding.support import make_groundable


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_groundable(tmp_path).path


def ground(*arguments: str | Path, stdin: str | None = None) -> tuple[int, str, str, BaseException | None]:
    result = CliRunner().invoke(app, ["ground", *map(str, arguments)], input=stdin)
    return result.exit_code, result.stdout, result.stderr, result.exception


def test_says_what_it_made_and_what_it_left_out(run: Path) -> None:
    code, out, err, _ = ground(run)
    assert code == 0
    lines = out.splitlines()
    assert " groundings of 3 pairs, " in lines[0]
    assert lines[1:] == [
        "left out: 1 no-picture-features", "left out: 1 no-segments", "left out: 1 nothing-kept",
        f"next: avterm cluster {run} -k K",
    ]  # fmt: skip
    assert "left out p1: no-segments: caption of 49 frames; at least 50 are needed" in err
    assert "left out 3 of 6 pairs" in err
    code, out, _, _ = ground(run)
    assert code == 0
    assert out.splitlines()[0].endswith(", already there")


def test_json_gives_every_grounding(run: Path) -> None:
    code, out, _, _ = ground(run, "--json")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    store = Run.open(run).groundings
    assert [row["row"] for row in rows] == list(range(len(store)))
    assert {row["id"] for row in rows} == {"p0", "p2", "p3"}
    for row in rows:
        start, stop = row["segment"]
        assert 0.5 <= round(stop - start, 3) <= 1.0
        assert 0 <= row["box"][0] < row["box"][2] <= 64
        assert 0 <= row["box"][1] < row["box"][3] <= 48
        assert row["score"] > 0
        assert row["silence"] < 0.4


def test_a_finished_stage_prints_the_same_again(run: Path) -> None:
    first = ground(run, "--json")[1]
    shards = [path.stat().st_mtime_ns for path in sorted((run / "groundings").glob("*.h5"))]
    code, out, _, _ = ground(run, "--json")
    assert (code, out) == (0, first)
    assert first
    assert [path.stat().st_mtime_ns for path in sorted((run / "groundings").glob("*.h5"))] == shards


def test_ids_choose_what_is_printed(run: Path) -> None:
    code, out, _, _ = ground(run, "p2", "p0", "--json")
    assert code == 0
    assert list(dict.fromkeys(json.loads(line)["id"] for line in out.splitlines())) == ["p2", "p0"]
    code, out, _, _ = ground(run, "-", stdin="p3\n\n")
    assert code == 0
    assert all(line.startswith("p3 ") for line in out.splitlines())


def test_ids_without_groundings_are_named_with_their_reason_and_the_others_go_on(run: Path) -> None:
    ground(run)
    code, out, err, _ = ground(run, "-", "--json", stdin="nobody\np0\np1\n")
    assert code == 0
    assert {json.loads(line)["id"] for line in out.splitlines()} == {"p0"}
    assert "left out nobody: unknown-id: not a pair of the grounded splits" in err
    assert "left out p1: no-segments: caption of 49 frames" in err
    assert "left out 2 of 3 ids: 1 no-segments, 1 unknown-id" in err
    code, out, _, error = ground(run, "p0", "nobody", "--strict")
    assert code == 1
    assert out.startswith("p0 ")
    assert str(error) == "left out 1 of 2 ids: 1 unknown-id (--strict)"
    code, out, _, error = ground(run, "p1", "nobody")
    assert (code, out) == (1, "")
    assert isinstance(error, AvtermError)
    assert str(error).startswith("p1: has no groundings in ")
    assert str(error).endswith("at least 50 are needed (nor have 1 more ids)")


def test_strict_is_a_failure_after_the_work(run: Path) -> None:
    code, out, _, error = ground(run, "--strict")
    assert code == 1
    assert " groundings of 3 pairs" in out
    assert "(--strict)" in str(error)
    assert Run.open(run).stage("ground") is not None


def test_shares_then_the_seal(run: Path) -> None:
    code, out, _, _ = ground(run, "--shard", "1/2", "--json")
    assert code == 0
    assert json.loads(out) == {
        "shard": "1/2", "pairs": 2, "groundings": json.loads(out)["groundings"],
        "per_pair": json.loads(out)["per_pair"], "left_out": 0, "left_out_by_kind": {}, "made": 1, "kept": 0,
    }  # fmt: skip
    code, out, _, _ = ground(run, "--shard", "0/2")
    assert code == 0
    assert "(share 0/2: 2 shards made, 0 there)" in out
    assert f"when all shares are made: avterm merge {run}" in out
    assert ground(run)[1].splitlines()[0].endswith(", already there")


def test_other_settings_need_redo(run: Path) -> None:
    assert ground(run)[0] == 0
    code, _, _, error = ground(run, "--set", "grounding.max_kept=2")
    assert code == 1
    assert isinstance(error, StoreError)
    assert ground(run)[0] == 0  # what was refused has not become the run's
    assert ground(run, "--set", "grounding.max_kept=2", "--redo")[0] == 0
    assert Run.open(run).config.grounding.max_kept == 2


def test_compare_prints_both_ways(run: Path) -> None:
    code, out, _, _ = ground(run, "--compare", "2")
    assert code == 0
    assert "exact and shared road on 1 pairs:" in out
    assert "  rank correlation: " in out
    code, out, _, _ = ground(run, "p0", "--compare", "1", "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["compare"]["pairs"] == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--road", "short"], ConfigError), (["--shard", "2/2"], UsageError), (["--device", "abacus"], UsageError),
        (["--set", "grounding.gird=9"], ConfigError),
    ],
)  # fmt: skip
def test_wrong_usage(run: Path, arguments: list[str], error: type[AvtermError]) -> None:
    code, _, _, found = ground(run, *arguments)
    assert code == 1  # `main` turns it into 2, as below
    assert isinstance(found, error)
    assert found.exit_code == 2
    assert ground(run)[0] == 0


def test_from_a_shell(run: Path, tmp_path: Path) -> None:
    def shell(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "avterm.cli.main", "ground", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert shell(run, "--road", "short").returncode == 2
    missing = shell(tmp_path / "nowhere")
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert "no run here" in missing.stderr
