"""Seeded damage: to bytes, to text, and to the values of JSON and TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

ESCAPED = "avterm-escaped"  # what is made where no reader may write, if one lets itself be led there
EVIL_PICKLE = f"cos\nsystem\n(S'touch ../../{ESCAPED}'\ntR.".encode()
HOSTILE_TEXTS = (
    "",
    "\0",
    "a\0b",
    *(f"{'../' * up}{ESCAPED}" for up in range(2, 6)),
    "/etc/passwd",
    "..",
    ".",
    "/",
    "~",
    "-rf",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "\u202egnirts",
    "\ud800",
    "\r\n",
    "a\nb",
    "x" * 70_000,
    "x/" * 3000,
    "%s%n{0}{a.__class__}",
    "nan",
    "\ufeff",
    "con",
    "é" * 300,
    f"$(touch ../../{ESCAPED})",
    "[red]",
    "٣",
    "²",
)
HOSTILE_NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1",
    "0",
    "1e308",
    "9" * 30,
    "9" * 5000,
    "-0.0",
    "2147483648",
    "0.1e-400",
    "9223372036854775808",
    "true",
    "null",
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def damaged(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """One to three kinds of damage to bytes; `others` are files of other kinds to splice with."""
    for _ in range(int(rng.integers(1, 4))):
        data = BYTE_DAMAGE[int(rng.integers(len(BYTE_DAMAGE)))](data, rng, others)
    return data


def damaged_text(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """As `damaged`, or hostile numbers and texts where the file has numbers, words and lines."""
    if rng.random() < 0.3:
        return damaged(data, rng, others)
    for _ in range(int(rng.integers(1, 4))):
        data = TEXT_DAMAGE[int(rng.integers(len(TEXT_DAMAGE)))](data, rng)
    return data


def damaged_json(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    """As `damaged_text`, or one value of a JSON file (or of one of its lines) replaced by a hostile one."""
    if rng.random() < 0.4:
        return damaged_text(data, rng, others)
    lines = data.split(b"\n")
    whole = len(lines) < 3 or not _is_json(lines[0])
    place = int(rng.integers(max(len(lines) - 1, 1)))
    try:
        value = json.loads(data if whole else lines[place])
    except ValueError:
        return damaged_text(data, rng, others)
    made = json.dumps(_replaced(value, rng)).encode()
    for number in HOSTILE_NUMBERS:  # as no float could carry them
        made = made.replace(b'"#%s"' % number.encode(), number.encode())
    if whole:
        return made
    return b"\n".join([*lines[:place], made, *lines[place + 1 :]])


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _replaced(value: Any, rng: np.random.Generator) -> Any:
    """The same value with one node replaced: a random walk from the root, which ends anywhere."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = list(value)[int(rng.integers(len(value)))]
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: _replaced(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = int(rng.integers(len(value)))
        return [*value[:place], _replaced(value[place], rng), *value[place + 1 :]]
    kind = int(rng.integers(6))
    if kind == 0:
        return [None, True, [], {}, [[]], {"a": {}}][int(rng.integers(6))]
    if kind == 1:
        return f"#{HOSTILE_NUMBERS[int(rng.integers(len(HOSTILE_NUMBERS)))]}"
    if kind == 2:
        deep: Any = value
        for _ in range(800):
            deep = [deep]
        return deep
    return HOSTILE_TEXTS[int(rng.integers(len(HOSTILE_TEXTS)))]


def _span(data: bytes, rng: np.random.Generator, most: int = 64) -> tuple[int, int]:
    start = int(rng.integers(len(data) + 1))
    if rng.random() < 0.5:
        start = min(start, int(rng.integers(1, 128)))  # headers decide most
    return start, min(start + int(rng.integers(1, most)), len(data))


def _truncated(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _flipped(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    made = bytearray(data)
    for _ in range(int(rng.integers(1, 17)) if made else 0):
        made[_span(data[:-1], rng)[0]] ^= 1 << int(rng.integers(8))
    return bytes(made)


def _random(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    start, stop = _span(data, rng)
    return data[:start] + rng.bytes(stop - start) + data[stop:]


def _filled(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    start, stop = _span(data, rng, 16)
    return data[:start] + [b"\0", b"\xff", b"\x7f", b"\x80"][int(rng.integers(4))] * (stop - start) + data[stop:]


def _removed(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    start, stop = _span(data, rng)
    return data[:start] + data[stop:]


def _repeated(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    start, stop = _span(data, rng, 256)
    return data[:stop] + data[start:stop] * int(rng.integers(1, 50)) + data[stop:]


def _spliced(data: bytes, rng: np.random.Generator, others: list[bytes]) -> bytes:
    other = others[int(rng.integers(len(others)))] if others else b""
    return other if rng.random() < 0.5 else data[: len(data) // 2] + other


BYTE_DAMAGE: list[Callable[[bytes, np.random.Generator, list[bytes]], bytes]] = [
    _truncated,
    _flipped,
    _flipped,
    _random,
    _filled,
    _filled,
    _removed,
    _repeated,
    _spliced,
]


def _numbers(data: bytes, rng: np.random.Generator) -> bytes:
    found = list(NUMBER.finditer(data))
    if not found:
        return data
    one = found[int(rng.integers(len(found)))]
    new = HOSTILE_NUMBERS[int(rng.integers(len(HOSTILE_NUMBERS)))].encode()
    return data[: one.start()] + new + data[one.end() :]


def _words(data: bytes, rng: np.random.Generator) -> bytes:
    words = list(re.finditer(rb"[A-Za-z_./]+", data))
    if not words:
        return data
    one = words[int(rng.integers(len(words)))]
    new = HOSTILE_TEXTS[int(rng.integers(len(HOSTILE_TEXTS)))].encode("utf-8", "surrogatepass")
    return data[: one.start()] + new + data[one.end() :]


def _lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    return b"\n".join([*lines[:place], *([lines[place]] * int(rng.integers(0, 4))), *lines[place + 1 :]])


def _deep(data: bytes, rng: np.random.Generator) -> bytes:
    start, _ = _span(data, rng)
    opened = [b"[", b"{", b'{"a":', b"<a>", b'"', b"[ ", b"("][int(rng.integers(7))]
    return data[:start] + opened * int(rng.integers(1, 20_000)) + data[start:]


TEXT_DAMAGE: list[Callable[[bytes, np.random.Generator], bytes]] = [_numbers, _numbers, _words, _words, _lines, _deep]
