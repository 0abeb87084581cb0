"""`avterm browse` on 500 clusters and 1.2 million groundings: until its first table is drawn, and from key to frame.

Processor seconds, as on a busy machine only they mean something; wall seconds stand in the note. The app runs in a
terminal of 120 × 36 that answers as terminals do. A key's time is what the app's loop spends until the frame for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

import numpy as np

from avterm.config import Config
from avterm.corpus.manifest import Corpus, Pair
from avterm.store.clusters import clusters_path, write_clusters
from avterm.store.evaluation import write_evaluation
from avterm.store.groundings import shard_path, write_groundings
from avterm.store.run import Run
from tests.benchmarks.rows import Row

K, SHARDS, PAIRS, PER_PAIR, LARGEST = 500, 60, 5000, 4, 100_000
ROWS = SHARDS * PAIRS * PER_PAIR
ROUNDS, KEYS = 5, 40
SECOND, FRAME = 1.0, 0.033  # the limits: of a start, and of a key
LATEST = 5.0  # seconds to wait for a frame
STILL = 0.3  # seconds without a byte after which the app waits for keys
EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("Quit")
Empty().run()
"""
UP, DOWN, PAGE, BACK = b"\x1b[A", b"\x1b[B", b"\x1b[6~", b"\x1b[5~"
ANSWERS = {b"\x1b[16t": b"\x1b[6;20;10t", b"\x1b[c": b"\x1b[?62;22c"}


def rows() -> list[Row]:
    """A second to the first table, a thirtieth of one for a key."""
    with tempfile.TemporaryDirectory() as folder:
        run = str(make_run(Path(folder)).path)
        browse = ["-m", "avterm.cli.main", "browse", run]
        bare, empty, ours = _first(["-c", "print('Quit')"]), _first(["-c", EMPTY]), _first(browse)
        note = f"wall {ours[1]:.2f} s; ratio: seconds"
        made = [
            Row("browse: first table", "python -c pass", ours[0], bare[0], ours[0], SECOND, False, note),
            Row("browse: first table", "an empty Textual app", ours[0], empty[0], ours[0], SECOND, False, note),
        ]
        with Terminal(browse, environment()) as terminal:
            terminal.until(b"Quit", b"Affinity")
            terminal.rest()
            made += [_keys(terminal, "clusters", DOWN), _keys(terminal, "clusters", PAGE, BACK)]
            terminal.press(b"g0\r")
            terminal.press(b"\r")
            made += [_keys(terminal, f"{LARGEST:,} members", DOWN), _keys(terminal, f"{LARGEST:,} members", PAGE)]
    return made


class Terminal:
    """Python in a terminal, to type to and to look at."""

    def __init__(self, arguments: list[str], variables: dict[str, str]) -> None:
        self.begin = time.perf_counter()
        self.process, self._file = pty.fork()
        if self.process == 0:
            os.execve(sys.executable, [sys.executable, *arguments], variables)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.used = 0.0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.close(self._file)
        _, _, usage = os.wait4(self.process, 0)
        self.used = usage.ru_utime + usage.ru_stime

    def until(self, *texts: bytes, limit: float = 120.0) -> float:
        """Wall seconds since the start until these were drawn; RuntimeError where they are not within `limit`."""
        seen = b""
        while not all(text in seen for text in texts):
            if time.perf_counter() - self.begin > limit:
                raise RuntimeError(f"{texts} not on screen after {limit} s: {seen[-300:]!r}")
            seen += self._read(0.05)
        return time.perf_counter() - self.begin

    def rest(self) -> None:
        """Wait until nothing more is drawn."""
        while self._read(STILL):
            continue

    def press(self, key: bytes) -> tuple[float, float]:
        """Processor seconds that the app's loop takes for a key: to the first frame drawn for it, and for all that
        follows when the cursor rests, as pictures, each in a frame of its own. Its other threads read the disk."""
        before = _spent(self.process)
        os.write(self._file, key)
        self._read(LATEST)
        frame = _spent(self.process) - before
        self.rest()
        return frame, _spent(self.process) - before

    def _read(self, patience: float) -> bytes:
        if not select.select([self._file], [], [], patience)[0]:
            return b""
        try:
            data = os.read(self._file, 1 << 16)
        except OSError:
            raise RuntimeError("the app ended by itself") from None
        for question, answer in ANSWERS.items():
            if question in data:
                os.write(self._file, answer)
        return data


def _first(arguments: list[str]) -> tuple[float, float]:
    """Least processor and wall seconds until `Quit` (and, of the app, its table) is drawn."""
    texts = (b"Quit", b"Affinity") if "browse" in arguments else (b"Quit",)
    processor = wall = float("inf")
    for _ in range(ROUNDS + 1):  # the first writes the bytecode, which an installed avterm has
        with Terminal(arguments, environment()) as terminal:
            wall = min(wall, terminal.until(*texts))
        processor = min(processor, terminal.used)
    return processor, wall


def _keys(terminal: Terminal, where: str, *keys: bytes) -> Row:
    """From key to frame, the 95th percentile against the median."""
    both = [terminal.press(keys[i // 10 % len(keys)]) for i in range(KEYS)]
    spent = sorted(frame for frame, _ in both)
    high, median = spent[int(0.95 * (KEYS - 1))], statistics.median(spent)
    name = {DOWN: "down", PAGE: "page down and up" if len(keys) > 1 else "page down"}[keys[0]]
    rest = 1000 * statistics.median(whole for _, whole in both)
    note = f"95th percentile; ratio: seconds; {rest:.0f} ms with what follows at rest"
    return Row(f"browse: {name} in {where}", "the median of the same keys", high, median, high, FRAME, False, note)


def _spent(process: int) -> float:
    """Processor seconds of a process's first thread, to the nanosecond (Linux)."""
    text = Path(f"/proc/{process}/task/{process}/schedstat").read_text(encoding="ascii")
    return int(text.split()[0]) / 1e9


def environment() -> dict[str, str]:
    """A terminal of many colours, and bytecode that is kept."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor",
                   "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "avterm-bytecode")}  # fmt: skip


def make_run(folder: Path) -> Run:
    """A run with `K` clusters, the first of which has `LARGEST` members; nothing of it was learned."""
    rng = np.random.default_rng(1)
    (folder / "corpus").mkdir()
    number = range(SHARDS * PAIRS)
    corpus = Corpus(
        folder / "corpus" / "corpus.jsonl", [Pair(f"p{i}", f"{i}.png", f"{i}.wav", "train") for i in number]
    )
    corpus.save()
    run = Run.create(folder / "run", corpus.path, Config())
    for shard in range(SHARDS):
        write_groundings(shard_path(run.path / "groundings", shard), "made up", _shard(shard, rng), [])
    run.finish("ground", "made up", {"groundings": ROWS})
    arrays: dict[str, np.ndarray] = {"affinity": rng.gamma(2.0, 3.0, (K, K))}
    for name in ("speech", "image"):
        arrays |= {f"{name}/{key}": value for key, value in _modality(rng).items()}
    write_clusters(clusters_path(run.path / "clusters", K), "made up", arrays, {"k": K})
    run.finish("cluster", "made up", {"k": K})
    known = [{"cluster": c, "label": f"word{c}", "purity": 0.5, "coverage": 0.4, "speakers": 5} for c in range(K)]
    write_evaluation(run, K, json.loads(json.dumps({"overall": {}, "clusters": known})))
    return run


def _shard(shard: int, rng: np.random.Generator) -> dict[str, np.ndarray | list[str]]:
    count = PAIRS * PER_PAIR
    start = rng.integers(0, 800, count, dtype=np.int32)
    return {
        "id": [f"p{i}" for i in range(shard * PAIRS, (shard + 1) * PAIRS)],
        "offset": np.arange(PAIRS + 1, dtype=np.int64) * PER_PAIR,
        "size": np.full((PAIRS, 2), 600, np.int32),
        "frames": np.full(PAIRS, 1000, np.int32),
        "box": np.tile(np.array([[0.1, 0.1, 0.6, 0.7]], np.float32), (count, 1)),
        "segment": np.stack([start, start + 60], axis=1),
        "score": rng.random(count, dtype=np.float32),
        "silence": np.zeros(count, np.float32),
        "speech_embedding": np.zeros((count, 4), np.float16),
        "image_embedding": np.zeros((count, 4), np.float16),
    }


def _modality(rng: np.random.Generator) -> dict[str, np.ndarray]:
    assignment = rng.integers(1, K, ROWS).astype(np.int32)
    assignment[rng.choice(ROWS, LARGEST, replace=False)] = 0
    distance = rng.random(ROWS, dtype=np.float32)
    size = np.bincount(assignment, minlength=K).astype(np.int64)
    return {
        "centroid": rng.normal(size=(K, 1024)).astype(np.float32),
        "assignment": assignment,
        "distance": distance,
        "size": size,
        "variance": np.bincount(assignment, distance, K) / size,
        "order": np.lexsort((distance, assignment)).astype(np.int64),
        "offset": np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
    }
