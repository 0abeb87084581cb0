"""More than 2,500 damaged and crafted files: each is read, or named in one line, in bounded time and memory.

`AVTERM_HOSTILE` times as many as usual are tried with that environment variable (a whole number).
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robust.mutations import ESCAPED
from tests.robust.warm import ROOT

# what is damaged: how many times; files made by hand come on top. A process each, as importing takes the longest.
COUNTS = {
    "media": {"pictures": 350, "sounds": 300},
    "text": {"manifests": 150, "importers": 250, "alignments": 300, "boxes": 100, "captions": 60},
    "run": {"stores": 250, "sealedstores": 250, "checkpoints": 200, "settings": 200, "decisions": 200},
}
TIMES = int(os.environ.get("AVTERM_HOSTILE", "1"))
MOST_MIB = 1600  # resident, imports and all


@pytest.mark.parametrize("group", COUNTS)
def test_hostile(group: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "here").mkdir(parents=True)
    asked = [f"{target}={count * TIMES}" for target, count in COUNTS[group].items()]
    command = [sys.executable, "-m", "tests.robust.fuzz", str(inside), *asked]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=inside / "here", env=environment)
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    current = (inside / "current").read_text() if (inside / "current").exists() else "none"
    assert done.returncode == 0, f"the reader died at file {current}: {done.stderr[-2000:]}"
    wrong = [report for report in reports if "wrong" in report]
    assert not wrong, f"{len(wrong)} files, the first: {wrong[0]['label']} ({wrong[0]['number']})\n{wrong[0]['wrong']}"
    read = {report["target"]: report["done"] for report in reports if "done" in report}
    assert all(read[target] >= count * TIMES for target, count in COUNTS[group].items())
    assert reports[-1]["peak_mib"] < MOST_MIB
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside"]
    assert not [folder for folder in tmp_path.parents if (folder / ESCAPED).exists()]


def test_nothing_in_the_code_can_execute_what_it_reads() -> None:
    """No pickle, eval, exec, shell or network; torch.load where weights_only is said, in one place."""
    banned = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "socketserver", "xmlrpc"}
    calls = {"eval", "exec", "__import__", "compile"}
    loads = []
    for path in sorted([*(ROOT / "avterm").rglob("*.py"), *(ROOT / "kernels").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {a.name.split(".")[0] for a in node.names} if isinstance(node, ast.Import) else set()
                names |= {node.module.split(".")[0]} if isinstance(node, ast.ImportFrom) and node.module else set()
                assert not names & banned, f"{path} imports {names & banned}"
            if not isinstance(node, ast.Call):
                continue
            name, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert name not in calls, f"{path}: {ast.unparse(node)}"
            assert not name.endswith("os.system"), f"{path}: {ast.unparse(node)}"
            assert given.get("shell") != "True", f"{path}: {ast.unparse(node)}"
            assert given.get("allow_pickle") != "True", f"{path}: {ast.unparse(node)}"
            if name in ("torch.load", "np.load", "numpy.load", "joblib.load"):
                loads.append((path.name, name, given.get("weights_only")))
    assert loads == [("weights.py", "torch.load", "True")]
