"""A file of the user's, looked at before anything opens it."""

from __future__ import annotations

from pathlib import Path

from avterm.errors import BadInput


def existing_file(path: str | Path, what: str, most_bytes: int) -> Path:
    """The path of a file that is there, can be opened, and holds 1 to `most_bytes` bytes; BadInput where it is not."""
    path = Path(path)
    try:
        if path.is_dir():
            raise BadInput(f"{path}: expected {what}, found a folder")
        if not path.is_file():
            raise BadInput(f"{path}: no such file")
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be opened: {error}") from None
    if size == 0:
        raise BadInput(f"{path}: is empty (0 bytes)")
    if size > most_bytes:
        raise BadInput(f"{path}: holds {size} bytes; at most {most_bytes} are read")
    return path
