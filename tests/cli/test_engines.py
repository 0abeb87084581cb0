"""`--engine` and the options that go with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from avterm.cli import engines
from avterm.cli.engines import Where, engine_for
from avterm.cli.main import app
from avterm.engine import ray as ray_module
from avterm.engine.local import Processes
from avterm.engine.mapping import HERE
from avterm.errors import UsageError
from avterm.store.run import Run
from tests.grounding.support import make_groundable


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_groundable(tmp_path).path


def avterm(*arguments: str | Path) -> tuple[int, BaseException | None]:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    return result.exit_code, result.exception


def test_local_processes_give_what_this_process_gives(run: Path) -> None:
    found = []
    for options in ([], ["--engine", "local", "--workers", "1"]):
        assert avterm("ground", run, *options) == (0, None)
        found.append([path.read_bytes() for path in sorted((run / "groundings").glob("*.h5"))])
        for path in (run / "groundings").glob("*.h5"):
            path.unlink()
    assert len(found[0]) == 3
    assert found[1] == found[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--workers", "2"], "--workers: goes with --engine local"),
        (["--engine", "ray", "--workers", "2"], "--workers: goes with --engine local"),
        (["--engine", "local", "--address", "mars:1"], "--address, --cpus and --gpus: go with --engine ray"),
        (["--gpus", "1"], "--address, --cpus and --gpus: go with --engine ray"),
    ],
)
def test_options_of_another_engine(run: Path, options: list[str], says: str) -> None:
    _, error = avterm("ground", run, *options)
    assert isinstance(error, UsageError)
    assert str(error) == says
    assert Run.open(run).stage("ground") is None


@pytest.mark.parametrize("options", [["--engine", "slurm"], ["--engine", "local", "--workers", "0"]])
@pytest.mark.parametrize("command", ["features", "ground", "evaluate"])
def test_impossible_values_are_exit_2(run: Path, command: str, options: list[str]) -> None:
    assert avterm(command, run, *options)[0] == 2


def test_ray_that_is_not_installed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(ray_module.importlib, "import_module", missing)
    _, error = avterm("ground", run, "--engine", "ray")
    assert isinstance(error, UsageError)
    assert "pip install 'avterm[ray]'" in str(error)


def test_the_engine_is_closed_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    monkeypatch.setattr(Processes, "close", lambda self: closed.append(self))
    with engine_for(Where.threads, None, None, 1.0) as engine:
        assert engine is HERE
    with pytest.raises(KeyError), engine_for(Where.local, 3, None, 1.0) as engine:
        raise KeyError
    assert closed == [engine]
    assert engines.Where("ray") is Where.ray
