"""The curation journal: what people decided about clusters, one JSON object a line, appended and synced at once.

run/curation.jsonl holds edits, and `undo` and `redo` lines, in the order in which they were made. It is never
rewritten, so a process that is killed can at most leave a torn last line, which readers skip and the next writer takes
away. An edit names its cluster by number and by anchors: the segments that lay nearest to the centroid when the edit
was made.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from avterm.errors import BadInput, StoreError
from avterm.store.atomic import read_file, sync_folder

KINDS = ("name", "state", "note", "merge", "split", "restore")
STATES = ("new", "accepted", "rejected")
MODALITIES = ("speech", "image")
_LARGEST = 1 << 31
_BEGINNING = b'{"kind": '  # of every line that is written here
_TAIL = 1 << 16
LONGEST = 10_000  # characters of a name or note; longer ones are refused


@dataclass(frozen=True, slots=True)
class Anchor:
    """A grounding, named so that another run of the clustering or the grounding finds it again."""

    id: str  # of the pair
    start: int  # frames
    end: int
    row: int  # in the grounding store that the edit was made on


@dataclass(frozen=True, slots=True)
class Edit:
    """One decision about one cluster.

    `value` is the name, state or note (empty: taken away); `into` is the cluster that `merge` puts this one into
    (-1: merged into none again); `member` is the grounding that `split` takes out and `restore` puts back.
    """

    kind: str
    cluster: int
    k: int
    modality: str = "speech"
    value: str = ""
    into: int = -1
    into_anchors: tuple[Anchor, ...] = ()
    member: Anchor | None = None
    anchors: tuple[Anchor, ...] = ()
    clusters: str = ""  # fingerprint of the clusters that the number counts in
    groundings: str = ""  # fingerprint of the groundings that the rows count in
    uid: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    time: float = field(default_factory=time.time)


def to_record(edit: Edit) -> dict[str, Any]:
    """The edit as a JSON object."""
    record = asdict(edit)
    for key in ("anchors", "into_anchors"):
        record[key] = [list(a.values()) for a in record[key]]
    record["member"] = list(record["member"].values()) if record["member"] else None
    return record


def from_record(record: Any, where: str) -> Edit:
    """The edit in a JSON object; BadInput names the first key that cannot be used."""
    if not isinstance(record, dict):
        raise BadInput(f"{where}: expected a JSON object, found {type(record).__name__}")
    kinds = {"kind": str, "cluster": int, "k": int, "modality": str, "value": str, "into": int, "clusters": str,
             "groundings": str, "uid": str, "time": (int, float)}  # fmt: skip
    values: dict[str, Any] = {}
    for key, kind in kinds.items():
        if key not in record and key not in ("kind", "cluster", "k"):
            continue
        value = record.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):  # type: ignore[arg-type]
            raise BadInput(f"{where}: expected another value under {key!r}, found {value!r:.60}")
        values[key] = value
    for key in ("anchors", "into_anchors"):
        values[key] = tuple(_anchor(a, f"{where}: {key}") for a in _list(record.get(key), f"{where}: {key}"))
    values["member"] = _anchor(record["member"], f"{where}: member") if record.get("member") is not None else None
    edit = Edit(**values)
    _check(edit, where)
    return edit


def _check(edit: Edit, where: str) -> None:
    for name, value, known in (("kind", edit.kind, KINDS), ("modality", edit.modality, MODALITIES)):
        if value not in known:
            raise BadInput(f"{where}: expected {name} to be one of {', '.join(known)}, found {value!r:.60}")
    if edit.kind == "state" and edit.value not in STATES:
        raise BadInput(f"{where}: expected a state of {', '.join(STATES)}, found {edit.value!r:.60}")
    if edit.kind in ("split", "restore") and edit.member is None:
        raise BadInput(f"{where}: expected the member to {edit.kind} under 'member'")
    if edit.cluster < 0 or edit.k < 1:
        raise BadInput(f"{where}: expected a cluster of 0 or more and a k of 1 or more")
    if max(edit.cluster, edit.k, abs(edit.into)) >= _LARGEST or not math.isfinite(edit.time):
        raise BadInput(f"{where}: expected numbers that clusters and times can have")
    if len(edit.value) > LONGEST:
        raise BadInput(f"{where}: a {edit.kind} of {len(edit.value)} characters; {LONGEST} at most")


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadInput(f"{where}: expected a list, found {type(value).__name__}")
    return value


def _anchor(value: Any, where: str) -> Anchor:
    good = (
        isinstance(value, list)
        and len(value) == 4
        and isinstance(value[0], str)
        and all(isinstance(v, int) and not isinstance(v, bool) and abs(v) < _LARGEST for v in value[1:])
    )
    if not good:
        raise BadInput(f"{where}: expected [pair id, first frame, end frame, row], found {value!r:.60}")
    return Anchor(*value)


@dataclass(frozen=True)
class History:
    """What a journal says: edits in force, edits that `redo` brings back (last first), and lines that were skipped."""

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    skipped: int = 0


class Journal:
    """A curation file. Reading tolerates a torn or damaged line; every append is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist."""
        self.path = Path(path)

    def history(self) -> History:
        """Replay the file: an `undo` takes back the last edit in force, a new edit ends what `redo` can bring back."""
        try:
            data = read_file(self.path)
        except FileNotFoundError:
            return History()
        except OSError as error:
            raise StoreError(f"{self.path}: could not be read: {error.strerror or error}") from None
        done: list[Edit] = []
        undone: list[Edit] = []
        skipped = 0
        for line in data.split(b"\n"):
            if not line.strip():
                continue
            try:
                record = json.loads(line.decode("utf-8", "surrogatepass"))
                kind = record.get("kind") if isinstance(record, dict) else None
                if kind == "undo":
                    if done:
                        undone.append(done.pop())
                elif kind == "redo":
                    if undone:
                        done.append(undone.pop())
                else:
                    done.append(from_record(record, "line"))
                    undone.clear()
            except (ValueError, RecursionError, BadInput):
                skipped += 1
        return History(tuple(done), tuple(undone), skipped)

    def append(self, edits: Iterable[Edit]) -> None:
        """Add edits, flushed and synced; all of them in one write."""
        self._write([to_record(edit) for edit in edits])

    def undo(self) -> Edit | None:
        """Take back the last edit in force, and say which; None where there is none."""
        done = self.history().done
        if not done:
            return None
        self._write([{"kind": "undo", "uid": done[-1].uid, "time": time.time()}])
        return done[-1]

    def redo(self) -> Edit | None:
        """Bring back the edit that was last taken back, and say which; None where there is none."""
        undone = self.history().undone
        if not undone:
            return None
        self._write([{"kind": "redo", "uid": undone[-1].uid, "time": time.time()}])
        return undone[-1]

    def merge(self, edits: Iterable[Edit]) -> int:
        """Add the edits that are not in force yet (by uid), in order; how many they were."""
        history = self.history()
        known = {edit.uid for edit in history.done}
        fresh = []
        for edit in edits:
            if edit.uid not in known:
                known.add(edit.uid)
                fresh.append(edit)
        if fresh:
            self.append(fresh)
        return len(fresh)

    def _write(self, records: list[dict[str, Any]]) -> None:
        data = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode("utf-8", "surrogatepass")
        try:
            new = not self.path.exists()
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                alone = _lock(handle)
                data = _mended(handle, alone) + data
                _append(handle, data, alone)
            finally:
                os.close(handle)
        except OSError as error:
            raise StoreError(f"{self.path}: could not be written: {error.strerror or error}") from None
        if new:
            sync_folder(self.path.parent)


def _append(handle: int, data: bytes, alone: bool) -> None:
    """All of it, synced; where the disk refuses, none of it."""
    size = os.fstat(handle).st_size
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError:
        if alone:
            os.ftruncate(handle, size)
        raise


def _mended(handle: int, alone: bool) -> bytes:
    """What must be written first to close an open last line; one that a killed process left torn is taken away instead,
    where no other process can be writing it."""
    size = os.fstat(handle).st_size
    tail, start = b"", size
    while start and b"\n" not in tail:
        stop, start = start, max(start - _TAIL, 0)
        tail = os.pread(handle, stop - start, start) + tail
    line = tail[tail.rfind(b"\n") + 1 :]
    if not line:
        return b""
    try:
        json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        if alone and (line.startswith(_BEGINNING) or _BEGINNING.startswith(line)):
            os.ftruncate(handle, size - len(line))
            return b""
    return b"\n"


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        return False  # a file system without locks: one appended write is still kept apart from another
    return True
