"""What can go wrong, said in one line: the id, what was expected, what was found, what to do."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_LONGEST_LINE = 2000  # characters


class AvtermError(Exception):
    """An error that a user can act on. Its message is one printable, bounded line; exit code 1."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(_bounded(printable(message)))


class UsageError(AvtermError):
    """Options or arguments that cannot be meant. The command line exits 2."""

    exit_code = 2


class ConfigError(UsageError):
    """A preset, configuration file or override that names an unknown key or an impossible value."""


class BadInput(AvtermError):
    """A file or record of the user's that cannot be used."""


class StoreError(AvtermError):
    """A store that is missing, damaged, of another version, or made from other inputs."""


def _bounded(line: str) -> str:
    """What was found may be a file's whole content; its beginning and end tell which."""
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 210]} [...] {line[-200:]}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was left out or repaired: whose id, which kind (one word), and a line that explains it."""

    id: str
    kind: str
    message: str

    def __str__(self) -> str:
        return _bounded(printable(f"{self.id}: {self.kind}: {self.message}"))


def printable(text: str) -> str:
    """`text` on one line, with every control character, bidirectional override and lone surrogate escaped.

    File names and transcripts come from elsewhere; none of them may move the cursor of a terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)


def _escape(character: str) -> str:
    return " " if character == "\n" else character.encode("unicode_escape").decode("ascii")
