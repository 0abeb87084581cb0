"""Files that were read last stay open for the next reader, and only so many: a process may not hold thousands.

Whoever got a file keeps it for as long as it is in use, in any thread; it is closed when the last of them is done with
it and it is no longer among the files that are kept. A file that was replaced since it was verified is never opened.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from avterm.errors import StoreError

File = TypeVar("File")
Version = tuple[int, int, int]  # inode, time of change in ns, bytes: another one when the file is replaced
Key = tuple[str, Version]


def version_of(path: Path | int) -> Version:
    """The version of a file, or of an open file by its descriptor. Raises OSError."""
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns, status.st_size


class Descriptor:
    """A file open for reading at any place of it; closed when nobody holds it any more."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._number = -1
        self._number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def fileno(self) -> int:
        """What the operating system calls it."""
        return self._number

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self._number >= 0:
            close(self._number)


class Opened(Generic[File]):
    """The last `most` files that were asked for, open."""

    def __init__(self, open: Callable[[str], File], fileno: Callable[[File], int], most: int) -> None:
        """`open` opens a path and raises what it likes; a file closes when the last reference to it is gone."""
        self._open, self._fileno, self._most = open, fileno, most
        self._files: OrderedDict[Key, File] = OrderedDict()
        self._forked()
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        """Another thread may have held the lock when a process was forked; what was open is of use to both."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._files)

    def get(self, key: Key) -> File:
        """The file of this version; StoreError where it was replaced since, so that no reader mixes two.

        Raises what `open` raises.
        """
        with self._lock:
            file = self._files.get(key)
            if file is not None:
                self._files.move_to_end(key)
                return file
        file = self._open(key[0])
        if version_of(self._fileno(file)) != key[1]:
            raise StoreError(f"{key[0]}: was replaced while it was read; run the command again")
        with self._lock:
            file = self._files.setdefault(key, file)  # another thread may have been faster
            spare = [self._files.popitem(last=False) for _ in range(len(self._files) - self._most)]
        del spare  # closes them, where nobody reads them: without the lock
        return file

    def let_go(self, key: Key) -> None:
        """Do not keep this file."""
        with self._lock:
            file = self._files.pop(key, None)
        del file
