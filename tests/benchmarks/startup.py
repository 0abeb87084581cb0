"""`avterm --help` against a bare start of Python."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.benchmarks.rows import Row

ROUNDS = 10


def rows() -> list[Row]:
    """0.3 s longer at most; the ratio of this row is that difference in seconds."""
    commands = {"help": ["-m", "avterm.cli.main", "--help"], "bare": ["-c", "pass"]}
    shortest = dict.fromkeys(commands, float("inf"))
    for _ in range(ROUNDS):  # in turns
        for name, arguments in commands.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            shortest[name] = min(shortest[name], time.perf_counter() - begin)
    more = shortest["help"] - shortest["bare"]
    return [Row("avterm --help", "python -c pass", shortest["help"], shortest["bare"], more, 0.3, False, "difference")]
