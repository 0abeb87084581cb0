"""Every engine gives the answers that this process gives, in order, and survives the loss of a worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from avterm.engine import ray as ray_module
from avterm.engine.ahead import cores
from avterm.engine.local import Processes, _gpus
from avterm.engine.mapping import HERE, UNHEARD, Engine, Kept
from avterm.engine.ray import RayCluster
from avterm.errors import AvtermError, BadInput, UsageError
from tests.engine import work

ENGINES = ("here", "processes", "cluster")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return HERE if request.param == "here" else request.getfixturevalue(request.param)


@pytest.mark.parametrize("count", [0, 1, 23])
def test_answers_come_in_order_with_what_was_reported(engine: Engine, count: int) -> None:
    heard = Kept()
    assert list(engine.map(work.square, range(count), heard)) == [i * i for i in range(count)]
    assert heard.done == sum(range(count))
    assert [problem.id for problem in heard.problems] == [str(i) for i in range(count) if i % 5 == 4]


def test_an_error_comes_at_its_turn(engine: Engine) -> None:
    answers = engine.map(work.refuse, range(9), UNHEARD)
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(BadInput, match=r"^picture 3: cannot be read$"):
        next(answers)
    assert list(engine.map(work.square, [2], UNHEARD)) == [4]


def test_a_killed_worker_is_replaced_and_its_task_begun_again(
    request: pytest.FixtureRequest, tmp_path: Path, processes: Processes
) -> None:
    heard = Kept()
    assert list(processes.map(partial(work.die_once, tmp_path), range(12), heard)) == [i * i for i in range(12)]
    assert (tmp_path / "died").exists()
    assert len(list(tmp_path.glob("begun-5-*"))) >= 2
    assert len(list(tmp_path.glob("begun-0-*"))) == 1
    assert heard.done == 12  # what was lost is not counted twice


def test_a_worker_killed_on_ray(cluster: RayCluster, tmp_path: Path) -> None:
    heard = Kept()
    assert list(cluster.map(partial(work.die_once, tmp_path), range(8), heard)) == [i * i for i in range(8)]
    assert len(list(tmp_path.glob("begun-5-*"))) == 2
    assert heard.done == 8


def test_work_that_kills_every_worker_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avterm.engine.local.RETRIES", 1)
    engine = Processes(1)
    try:
        answers = engine.map(work.die, range(4), UNHEARD)
        assert [next(answers), next(answers)] == [0, 1]
        with pytest.raises(AvtermError, match=r"^workers were lost 2 times .*give fewer --workers$"):
            next(answers)
    finally:
        engine.close()


def test_processes_share_the_cores(processes: Processes) -> None:
    answers = list(processes.map(work.process, range(30), UNHEARD))
    assert len({pid for pid, _, _ in answers}) <= 2
    share = max(1, cores() // 2)
    assert {(threads, ahead) for _, threads, ahead in answers} == {(share, min(share, 16))}


def test_a_worker_ends_with_its_parent() -> None:
    program = (
        "import os, signal\n"
        "from avterm.engine.local import Processes\n"
        "from avterm.engine.mapping import UNHEARD\n"
        "from tests.engine import work\n"
        "if __name__ == '__main__':\n"
        "    pid, _, _ = next(Processes(1).map(work.process, [0], UNHEARD))\n"
        "    print(pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(  # ends only when nobody holds the pipes any more, the worker included
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, timeout=300, check=False
    )
    assert done.returncode == -9
    assert int(done.stdout) > 0


@pytest.mark.parametrize(
    ("seen", "there", "names"), [(None, 2, ["0", "1"]), ("3, 5,7", 3, ["3", "5", "7"]), ("0", 0, [])]
)
def test_gpus_are_those_that_this_process_sees(
    monkeypatch: pytest.MonkeyPatch, seen: str | None, there: int, names: list[str]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: there)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert _gpus() == names


def test_ray_that_is_not_installed_and_a_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable:
        def is_initialized(self) -> bool:
            return False

        def init(self, address: str, **_: Any) -> None:
            raise ConnectionError(f"could not reach {address}\nand more")

    def missing(name: str) -> Any:
        raise ImportError(name)

    def present(name: str) -> Any:
        return Unreachable()

    importers: list[tuple[Callable[[str], Any], type[AvtermError], str]] = [
        (missing, UsageError, r"^--engine ray needs Ray, which is not installed: pip install 'avterm\[ray\]'$"),
        (present, AvtermError, r"^no Ray cluster at mars:1: could not reach mars:1; start one"),
    ]
    for importer, kind, says in importers:
        monkeypatch.setattr(ray_module.importlib, "import_module", importer)
        with pytest.raises(kind, match=says):
            RayCluster("mars:1")


def test_a_machine_without_the_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(AvtermError, match=r"nowhere: No such file or directory on .*under the same paths"):
        ray_module._there(str(tmp_path / "nowhere"), work.square, 1, 1)
