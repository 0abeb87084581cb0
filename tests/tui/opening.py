"""How long `avterm browse RUN` takes to draw its first screen: `python -m tests.tui.opening RUN`.

CPU seconds are given beside wall seconds, as on a busy machine only they mean something.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def cpu(process: int) -> float:
    """Seconds of CPU that a process has used, from /proc."""
    with open(f"/proc/{process}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drawn(terminal: int, until: bytes, limit: float = 300.0) -> None:
    """Read what the app draws until `until` is on screen."""
    seen, begin = b"", time.perf_counter()
    while until not in seen:
        if time.perf_counter() - begin > limit:
            sys.exit(f"{until!r} was not drawn within {limit} s")
        if select.select([terminal], [], [], 0.05)[0]:
            seen += os.read(terminal, 1 << 16)


def main(run: str) -> None:
    """Time the opening."""
    begin = time.perf_counter()
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.execv(sys.executable, [sys.executable, "-m", "avterm.cli.main", "browse", run, "--pictures", "halfcell"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    drawn(terminal, b"Quit")
    sys.stdout.write(f"first screen   {time.perf_counter() - begin:6.2f} s wall  {cpu(process):6.2f} s CPU\n")
    os.kill(process, signal.SIGTERM)
    os.close(terminal)
    os.waitpid(process, 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.tui.opening RUN")
    main(sys.argv[1])
