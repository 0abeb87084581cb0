"""One writer at a time: a lock that the system lets go of when its holder dies, so that none is ever stale."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avterm.errors import StoreError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for writing; StoreError names who holds it already."""
    path = Path(folder) / ".lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written to: {error.strerror or error}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "another process"
            raise StoreError(f"{folder}: being written by {holder}; wait for it, or stop it") from None
        except OSError:
            yield  # a file system without locks: go on, as every write is whole or not at all
            return
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except OSError:
            pass  # on a full disk the lock holds all the same; only its holder's name is not known to others
        yield
    finally:
        os.close(handle)
