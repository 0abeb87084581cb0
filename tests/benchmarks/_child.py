"""`python -m tests.benchmarks._child REPORT ARGUMENT…`: run avterm in a process of its own; its time and its memory.

A module that begins with `_` is no benchmark. Memory is VmHWM, the most that ever lay in memory at once, as the kernel
counts it for this process alone (the page cache that reading fills is not in it).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from avterm.cli.main import main


@dataclass(frozen=True)
class Used:
    """What a process took: wall seconds from start to end, seconds on processors, and bytes of memory at its peak."""

    seconds: float
    processor: float
    peak: int


def avterm(*arguments: str) -> Used:
    """Run `avterm` with these arguments; RuntimeError with its stderr where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "tests.benchmarks._child", str(report), *arguments]
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise RuntimeError(f"avterm {' '.join(arguments)}: {done.stderr.strip()}")
        used = json.loads(report.read_text(encoding="utf-8"))
    return Used(seconds, used["processor"], used["peak"])


def peak_memory() -> int:
    """Bytes: VmHWM of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell the peak memory of a process; Linux does")


def _run(report: Path, arguments: list[str]) -> int:
    sys.argv = ["avterm", *arguments]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    times = os.times()
    report.write_text(json.dumps({"processor": times.user + times.system, "peak": peak_memory()}), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(_run(Path(sys.argv[1]), sys.argv[2:]))
