"""How a process ends: with its exit code and all that it said; under torchrun before the interpreter is torn down."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
from avterm.cli.common import emit, end
atexit.register(lambda: sys.stdout.write("torn down"))
emit({"said": True})
sys.stderr.write("and here")
end(3)
"""


@pytest.mark.parametrize("size", ["", "1", "2"])
def test_everything_said_and_the_exit_code_arrive(size: str) -> None:
    environment = {**os.environ, "WORLD_SIZE": size}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (3, "and here")
    assert done.stdout.splitlines()[0] == '{"said": true}'
    assert ("torn down" in done.stdout) == (size != "2")
