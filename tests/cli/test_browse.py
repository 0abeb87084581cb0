"""`avterm browse`: what can be seen of it without a terminal, and a session in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

import pytest
from typer.testing import CliRunner

from avterm.cli.browse import open_session
from avterm.cli.main import app
from avterm.errors import ConfigError, UsageError
from avterm.tui.keys import load_keymap
from tests.synthetic import make_run

runner = CliRunner()


def test_keys_are_printed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    result = runner.invoke(app, ["browse", "--keys"])
    assert result.exit_code == 0
    (tmp_path / "avterm").mkdir()
    (tmp_path / "avterm" / "keys.toml").write_text(result.stdout)
    assert load_keymap()["curate.accept"] == "a"
    (tmp_path / "avterm" / "keys.toml").write_text("[curate]\nacept = 'y'")
    assert isinstance(runner.invoke(app, ["browse", "x"]).exception, ConfigError)


@pytest.mark.parametrize("arguments", [["browse"], ["browse", "{run}"]])
def test_without_a_terminal_or_a_run(tmp_path, monkeypatch, arguments):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    run = make_run(tmp_path / "one", media=False)
    result = runner.invoke(app, [a.replace("{run}", str(run.path)) for a in arguments])
    assert isinstance(result.exception, UsageError)


def test_an_unknown_k(tmp_path):
    run = make_run(tmp_path, media=False)
    with pytest.raises(UsageError, match="no clusters of k = 99"):
        open_session(run, 99)


def test_starting_loads_no_heavy_library(tmp_path):
    run = make_run(tmp_path, media=False)
    program = (
        "import sys\nfrom avterm.cli.browse import open_session\nfrom avterm.store.run import Run\n"
        "from avterm.tui.app import BrowseApp\n"
        "BrowseApp(open_session(Run.open(sys.argv[1]), None)).session.rows('speech')\n"
        "print([m for m in ('torch', 'numba', 'scipy', 'sklearn', 'miniaudio', 'soundfile') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(run.path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_session_in_a_terminal(tmp_path):
    """Open, accept a cluster, leave: exit 0, the terminal is given back, and the decision is kept."""
    run = make_run(tmp_path, media=False)
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm-256color", "XDG_CONFIG_HOME": str(tmp_path)}
        os.execv(sys.executable, [sys.executable, "-m", "avterm.cli.main", "browse", str(run.path)])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 800, 480))
    seen = b""

    def until(text: bytes) -> None:
        nonlocal seen
        end = time.monotonic() + 30
        while text not in seen and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError:
                    return

    until(b"clusters of segments")
    os.write(terminal, b"a")
    until(b"decided")
    os.write(terminal, b"q")
    until(b"\x1b[?1049l")
    assert b"\x1b[?1049l" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    os.close(terminal)
    assert (run.path / "curation.jsonl").read_text().count("accepted") == 1
