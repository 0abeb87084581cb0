"""Files that are written whole or not at all: temporary file, flush, fsync, rename, fsync of the folder."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avterm.errors import StoreError

_ENDING = ".part"
_MOST_BYTES = 1 << 30  # of a file that is read whole
_swept: set[str] = set()  # folders that this process has cleared of what dead writers left


@contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Without `sync` it may be lost when the power fails: right for one of thousands of files that can be made again and
    that count only once a manifest, written last, names them.
    Raises StoreError, in one line, where the disk refuses (full, read-only, too large).
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        prefix = f".{path.name[:40]}.{_writer(os.getpid())}."
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=_ENDING)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        if sync:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        temporary = None
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: could not be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` last, where the system lets a folder be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _writer(pid: int) -> str:
    """A process as temporary files name it."""
    host = "".join(c for c in socket.gethostname() if c.isascii() and (c.isalnum() or c == "-"))[:40]
    return f"{host}+{pid}"


def _sweep(folder: Path) -> None:
    """Once per process and folder, remove the temporary files of processes of this machine that are no more."""
    if str(folder) in _swept:
        return
    _swept.add(str(folder))
    with os.scandir(folder) as entries:
        left = [e.name for e in entries if e.name.startswith(".") and e.name.endswith(_ENDING)]
    for name in left:
        writer = name.split(".")[-3] if name.count(".") >= 4 else ""
        pid = writer.rpartition("+")[2]
        if pid.isdigit() and writer == _writer(int(pid)) and not _alive(int(pid)):
            (folder / name).unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


def write_text(path: Path, text: str) -> None:
    """Put `text`, as UTF-8, at `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")


def write_json(path: Path, value: Any) -> None:
    """Put `value` as readable JSON at `path`, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; StoreError in one line where it is not one."""
    try:
        return json.loads(read_file(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, a number too long
        raise StoreError(f"{path}: expected readable JSON, found: {error}") from None


def read_file(path: Path) -> bytes:
    """All of a small file of a run. Raises OSError; StoreError where it is no file, or too large to be one of ours."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise StoreError(f"{path}: expected a file, found a folder, a pipe or a device")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise StoreError(f"{path}: holds {size} bytes; at most {_MOST_BYTES} are read")
    return path.read_bytes()
