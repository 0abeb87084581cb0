"""The worker of the hostile-input tests: `python -m tests.robust.fuzz FOLDER TARGET=COUNT…`.

Reads COUNT damaged files of each target, each with 5 s of processor time and 1.5 GiB of memory more than the imports
took, and prints one JSON line a failure: a file that gave anything but an error in one line. An audit hook sees to it
that no reader writes outside FOLDER, starts a process, unpickles a class or opens a connection.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from avterm.errors import AvtermError
from tests.benchmarks._child import peak_memory
from tests.robust.targets import Target
from tests.robust.targets_media import Pictures, Sounds
from tests.robust.targets_run import Decisions, Settings
from tests.robust.targets_stores import SealedStores, Stores
from tests.robust.targets_text import Alignments, Boxes, Captions, Importers, Manifests
from tests.robust.targets_weights import Checkpoints

TARGETS: dict[str, type[Target]] = {
    target.__name__.lower(): target
    for target in (
        Pictures, Sounds, Manifests, Importers, Alignments, Boxes, Captions,
        Stores, SealedStores, Checkpoints, Settings, Decisions,
    )
}  # fmt: skip

CPU_SECONDS = 5.0
WALL_SECONDS = 240  # a reader that sleeps; long, as other work may share the processors
HEADROOM = 3 << 29
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of pairs, ends of lines and paragraphs
TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # these turn the direction of writing
EXECUTION = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pickle.find_class",
             "socket.connect", "os.startfile"}  # fmt: skip
WRITING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.link", "os.symlink"}
violations: list[str] = []
reading: list[Path] = []  # what is being read now, if anything


class Hung(BaseException):
    """Took too long; no reader catches it."""


def watch(folder: str) -> None:
    """Note what no reader may do."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if not reading:
            return
        if event in EXECUTION:
            violations.append(f"{event} {args!r:.200}")
        elif event in WRITING or (event == "open" and _for_writing(args)):
            path = args[0]
            if isinstance(path, str | bytes | os.PathLike):
                where = os.path.realpath(os.fsdecode(path))
                if not where.startswith(folder) and where != os.devnull and not where.startswith("/proc/"):
                    violations.append(f"{event} {where}")

    sys.addaudithook(hook)


def _for_writing(args: tuple[Any, ...]) -> bool:
    mode, flags = args[1], args[2]
    if isinstance(mode, str):
        return any(c in mode for c in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def too_long(number: int, frame: Any) -> None:
    """The clock ran out."""
    raise Hung(f"signal {number}")


def attempt(target: Target, path: Path) -> str | None:
    """Read one damaged file; what went wrong, or None."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.alarm(WALL_SECONDS)
    reading.append(path)
    try:
        said = target.read(path)
    except AvtermError as error:
        said = [str(error)]
    except target.also:
        said = []
    except BaseException:
        return traceback.format_exc(limit=-6)
    finally:
        reading.clear()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    for text in said or []:
        if any(unicodedata.category(letter) in UNPRINTABLE or letter in TURNING for letter in text):
            return f"not one printable line: {text!r:.300}"
    return None


def bound_memory() -> None:
    """No more than HEADROOM beyond what the imports have mapped."""
    size = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line)
    resource.setrlimit(resource.RLIMIT_AS, (size * 1024 + HEADROOM, resource.RLIM_INFINITY))


def main() -> None:
    """Every damaged file of the targets, then every one made by hand."""
    folder = Path(sys.argv[1]).resolve()
    asked = [(name, int(count)) for name, _, count in (text.partition("=") for text in sys.argv[2:])]
    targets = {name: TARGETS[name](folder / name) for name, _ in asked}
    for target in targets.values():
        target.warm()
    signal.signal(signal.SIGPROF, too_long)
    signal.signal(signal.SIGALRM, too_long)
    watch(str(folder))
    bound_memory()
    for name, count in asked:
        hurt(name, targets[name], count, folder / "current")
    # not ru_maxrss, which a process takes over from the one that started it, here a pytest worker of any size
    print(json.dumps({"peak_mib": peak_memory() >> 20}))


def hurt(name: str, target: Target, count: int, current: Path) -> None:
    """Read `count` damaged files of a target and those made by hand; `current` says which, should one be the end."""
    began, slowest = time.process_time(), 0.0
    for number in range(count + len(target.by_hand)):
        current.write_text(f"{name} {number}")
        if number < count:
            rng = np.random.default_rng([20_260_101, sum(name.encode()), number])
            label, path = target.place(number, rng)
        else:
            label, path = target.place_by_hand(number - count)
        before = time.process_time()
        wrong = attempt(target, path)
        slowest = max(slowest, time.process_time() - before)
        if violations:
            wrong = f"{wrong or ''} {violations.pop()}"
            violations.clear()
        if wrong:
            print(json.dumps({"target": name, "number": number, "label": label, "wrong": wrong}), flush=True)
        target.clear(path)
    spent = round(time.process_time() - began, 1)
    print(json.dumps({"done": number + 1, "target": name, "cpu": spent, "slowest": round(slowest, 2)}), flush=True)


if __name__ == "__main__":
    main()
