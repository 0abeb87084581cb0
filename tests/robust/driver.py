"""A warm process that forks one child a command, and hurts it where it is told to.

Importing torch costs more than any stage on the small corpus, so this program imports everything once and then forks.
It runs apart from pytest (`python -m tests.robust.driver`), as a fork of a process with threads is not to be trusted.
On stdin and stdout: one JSON object a line, a job (see `Hurt`) and its outcome.

A *moment* is a call that touches the run's folder or its disk: an open for writing, a rename, a removal, a new folder
(all by Python's audit events), an fsync, a write of the journal. A child can be killed, or be refused, at any of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any

import tensorboard  # noqa: F401 (as all that follows: what is here is not imported in every child)
import torch
import torch._dynamo  # an optimiser would

from avterm.cli.main import main as command_line
from avterm.store import features

WRITES = {"os.rename", "os.remove", "os.mkdir", "os.chmod", "os.truncate", "os.rmdir"}


@dataclass
class Hurt:
    """What is done to a child: `signal` at moment `at` or `after` seconds; or `errno` at moment `at`, and from then on
    if `lasting`; or files of at most `fsize` bytes; `watch` is the folder whose changes count."""

    watch: str
    signal: int = 0
    at: int = 0
    after: float = 0.0
    errno: int = 0
    lasting: bool = False
    fsize: int = 0


class Moments:
    """Counts moments in this process and does what `hurt` says when its turn comes."""

    def __init__(self, hurt: Hurt) -> None:
        self.hurt, self.count = hurt, 0
        self._lock, self._inside = threading.Lock(), threading.local()

    def install(self) -> None:
        """From here on, until the process ends."""
        sys.addaudithook(self._event)
        fsync, write = os.fsync, os.write

        def counted_fsync(handle: int) -> None:
            self.moment()
            fsync(handle)
            self.moment()

        def counted_write(handle: int, data: Any) -> int:
            half = memoryview(data)[: len(data) // 2]
            self.moment(lambda: write(handle, half))
            return write(handle, data)

        os.fsync, os.write = counted_fsync, counted_write  # type: ignore[assignment]

    def moment(self, before: Any = lambda: None) -> None:
        """One moment; `before` is done first where it is the last one, to leave a thing half done."""
        with self._lock:
            self.count += 1
            count = self.count
        hurt = self.hurt
        if not hurt.at or not (count == hurt.at or (hurt.lasting and count > hurt.at)):
            return
        if hurt.signal:
            before()
            os.kill(os.getpid(), hurt.signal)
        elif hurt.errno:
            raise OSError(hurt.errno, os.strerror(hurt.errno))

    def _event(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in WRITES and event != "open":
            return
        if event == "open" and not _for_writing(args):
            return
        path = args[0]
        if isinstance(path, bytes | str | os.PathLike) and os.fsdecode(path).startswith(self.hurt.watch):
            self.moment()


def _for_writing(args: tuple[Any, ...]) -> bool:
    mode, flags = args[1], args[2]
    if isinstance(mode, str):
        return any(c in mode for c in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def child(argv: list[str], hurt: Hurt, pipes: dict[int, int]) -> None:
    """Be the command `avterm ARGV`; never returns."""
    for number in (1, 2):  # pipes, not files: the size of files may be limited
        os.dup2(pipes[number], number)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: SIM115 (for good)
    if hurt.fsize:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hurt.fsize, hurt.fsize))
    moments = Moments(hurt)
    moments.install()
    sys.argv = ["avterm", *argv]
    try:
        command_line()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 99
    moments.hurt = Hurt(hurt.watch)
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(pipes[3], str(moments.count).encode())
    os._exit(code)


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Fork a child for one job; what became of it."""
    hurt = Hurt(**job["hurt"])
    pipes = {number: os.pipe() for number in (1, 2, 3)}  # the last for the count of moments
    for _, handle in pipes.values():
        fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, 1 << 18)  # more than any command here prints
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        child(job["argv"], hurt, {number: handle for number, (_, handle) in pipes.items()})
    for _, handle in pipes.values():
        os.close(handle)
    done = 0
    if hurt.after:
        while not done and time.monotonic() - began < hurt.after:
            time.sleep(0.002)
            done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            os.kill(pid, hurt.signal)
    while not done and time.monotonic() - began < job.get("limit", 60.0):
        done, status = os.waitpid(pid, os.WNOHANG)
        time.sleep(0.002)
    hung = not done
    if hung:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    texts = {}
    for number, (handle, _) in pipes.items():
        with open(handle, encoding="utf-8", errors="replace") as file:
            texts[number] = file.read()
    return {
        "code": os.waitstatus_to_exitcode(status),
        "hung": hung,
        "moments": int(texts[3] or 0),
        "seconds": time.monotonic() - began,
        "stdout": texts[1],
        "stderr": texts[2],
    }


def main() -> None:
    """Serve jobs until stdin ends."""
    torch.set_num_threads(1)
    features.PER_SHARD = 6  # several shards of a small corpus
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
