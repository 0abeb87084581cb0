"""What holds the house together: imports point down, help is light, and the README's example runs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from avterm.config import Config, parse_setting, presets, resolve, to_tables
from avterm.errors import ConfigError, printable
from tests.synthetic import make_run

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    {"corpus", "speech", "vision", "store", "engine"},
    {"model"},
    {"training", "retrieval", "grounding", "clustering", "evaluation"},
    {"report", "export"},
    {"cli", "tui"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}


def imported(path: Path) -> set[str]:
    """The rooms of avterm that a module imports from, 'kernels' for the kernels."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        rooms |= {n.split(".")[1] for n in names if n.startswith("avterm.")}
    return rooms


def test_imports_point_down() -> None:
    for path in sorted((ROOT / "avterm").rglob("*.py")):
        here = path.relative_to(ROOT / "avterm").parts[0].removesuffix(".py")
        if here in {"__init__", "__main__"}:  # where everything is named, and where the program starts
            continue
        for room in imported(path):
            assert FLOOR.get(room, 0) <= FLOOR.get(here, 0), f"{path} imports avterm.{room}, which stands above it"
            assert {room, here} != {"cli", "tui"} or here == "cli", f"{path} imports the command line's insides"
    for path in sorted((ROOT / "kernels").rglob("*.py")):
        assert not imported(path), f"{path} knows avterm"


def test_help_loads_nothing_heavy() -> None:
    program = "import sys, avterm.cli.main\nprint([m for m in ('torch', 'numba', 'h5py') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_errors_are_one_line_without_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "avterm.cli.main"]
    done = subprocess.run([*command, "ground", str(tmp_path / "a\x1b[2Jb")], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert subprocess.run([*command, "grund"], capture_output=True).returncode == 2


def test_the_readmes_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path, media=False)
    code = (ROOT / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    for old, new in (("demo/run", str(run.path)), ("scene00000", "pair 0"), ("clusters(84)", "clusters(6)")):
        assert old in code
        code = code.replace(old, new)
    exec(compile(code, "README.md", "exec"), {})
    assert "(" in capsys.readouterr().out


def test_configuration() -> None:
    assert {"demo", "modern", "paper"} <= set(presets())
    paper = resolve("paper")
    assert paper.grounding.road == "exact"
    assert (paper.training, paper.model, paper.speech) == (Config().training, Config().model, Config().speech)
    changed = resolve("modern", overrides=parse_setting("training.epochs=7"))
    assert changed.training.epochs == 7
    assert resolve(overrides=to_tables(changed)) == changed
    for text, hint in (
        ("training.epoch=7", "'epochs'"),
        ("trainign.epochs=7", "'training'"),
        ("training.epochs=x", "int"),
    ):
        with pytest.raises(ConfigError, match=hint):
            resolve(overrides=parse_setting(text))
    with pytest.raises(ConfigError, match="'modern'"):
        resolve("modrn")


def test_printable_escapes_what_moves_the_cursor() -> None:
    assert printable("a\x1b[2J\u202eb\nc\udc80é") == "a\\x1b[2J\\u202eb c\\udc80é"
