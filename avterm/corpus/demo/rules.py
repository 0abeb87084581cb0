"""The demo corpus's plain files, read: what there is to draw, where, and how it is said."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from avterm.corpus.demo.shapes import Colour, Shape, parse
from avterm.corpus.synthesis import Voice
from avterm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that can be drawn and named: `word` is its name, `size` its width and height in units."""

    word: str
    size: tuple[float, float]
    place: str  # sky | ground | any
    main: tuple[str, ...]
    second: tuple[str, ...]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A background: two stretches of colour that meet at the horizon, and what is strewn over them."""

    name: str
    sky: tuple[str, str]
    ground: tuple[str, str]
    horizon: tuple[float, float]
    details: tuple[str, ...]
    phrases: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A sentence with slots for `things` things."""

    things: int
    say: str
    relation: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Grammar:
    """What data/demo/grammar.toml says."""

    pause_seconds: tuple[float, float]
    pause_share: float
    adjective_share: float
    scene_share: float
    hesitation_share: float
    hesitation_seconds: tuple[float, float]
    determiners: tuple[str, ...]
    sizes: dict[str, tuple[str, ...]]
    other: tuple[str, ...]
    openers: tuple[str, ...]
    joints: tuple[str, ...]
    relations: dict[str, tuple[str, ...]]
    frames: tuple[Frame, ...]


@cache
def colours() -> dict[str, Colour]:
    """Every colour by name."""
    tables = _load("colours")
    return {name: (int(r), int(g), int(b)) for table in tables.values() for name, (r, g, b) in table.items()}


@cache
def spoken_colours() -> frozenset[str]:
    """The colours whose names captions may use."""
    return frozenset(_load("colours")["spoken"])


@cache
def things() -> tuple[Thing, ...]:
    """Everything that can be drawn, in the file's order."""
    found = []
    for word, table in _load("things").items():
        second = tuple(table.get("second", ("white",)))
        width, height = table["size"]
        shapes = parse(table["draw"], f"data/demo/things.toml [{word}]")
        thing = Thing(word, (width, height), table["place"], tuple(table["main"]), second, shapes)
        unknown = {s.colour.rstrip("+-") for s in shapes} | {*thing.main, *second}
        unknown -= {*colours(), "main", "second"}
        if unknown:
            raise ConfigError(f"data/demo/things.toml [{word}]: colour {min(unknown)!r} is not in colours.toml")
        found.append(thing)
    return tuple(found)


def nouns() -> tuple[str, ...]:
    """The names of everything that the demo corpus draws."""
    return tuple(thing.word for thing in things())


@cache
def places() -> tuple[Place, ...]:
    """The backgrounds."""
    return tuple(Place(name=name, **_frozen(table)) for name, table in _load("scenes").items())


@cache
def grammar() -> Grammar:
    """The rules for captions."""
    table = _load("grammar")
    frames = tuple(Frame(**frame) for frame in table.pop("frames"))
    for key in ("sizes", "relations"):
        table[key] = _frozen(table[key])
    return Grammar(**_frozen(table), frames=frames)


@cache
def voices() -> tuple[Voice, ...]:
    """The demo corpus's speakers."""
    return tuple(Voice(**table) for table in _load("voices")["voices"])


def _load(name: str) -> dict[str, Any]:
    file = resources.files("avterm.data") / "demo" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _frozen(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
