"""Every key of the terminal app in one table, and how a file of the user's changes it.

$XDG_CONFIG_HOME/avterm/keys.toml (~/.config/avterm/keys.toml) holds a table per scope, an action a line, and
above them what the options --theme and --pictures would say:

    theme = "avterm-light"
    pictures = "halfcell"

    [curate]
    accept = "y"
    name = ["n", "f2"]
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.binding import Binding, BindingType

from avterm.config import read_toml
from avterm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Key:
    """What keys do in a scope: `action` is the screen's or widget's, `text` is for the footer, `help` for the help."""

    name: str
    keys: str
    action: str
    text: str
    help: str
    show: bool = True


KEYS: dict[str, tuple[Key, ...]] = {
    "app": (
        Key("help", "question_mark,f1", "help", "Help", "Every key, as it is set now"),
        Key("back", "escape", "back", "Back", "Back to the screen before"),
        Key("map", "m", "map", "Map", "The map of the clusters"),
        Key("search", "f", "search", "Find", "Search by a sound or a picture"),
        Key("theme", "ctrl+t", "next_theme", "Theme", "The next theme"),
        Key("quit", "q,ctrl+q", "quit", "Quit", "Leave"),
    ),
    "table": (
        Key("up", "up,k", "move(-1)", "Up", "The row above", False),
        Key("down", "down,j", "move(1)", "Down", "The row below", False),
        Key("page_up", "pageup,ctrl+b", "page(-1)", "Page up", "A page up", False),
        Key("page_down", "pagedown,ctrl+f", "page(1)", "Page down", "A page down", False),
        Key("first", "home", "edge(-1)", "First", "The first row", False),
        Key("last", "end,G", "edge(1)", "Last", "The last row", False),
        Key("left", "left", "slide(-8)", "Left", "Scroll left", False),
        Key("right", "right", "slide(8)", "Right", "Scroll right", False),
        Key("choose", "enter", "choose", "Open", "Open or play the row", False),
    ),
    "clusters": (
        Key("play", "space", "play", "Play", "Play the most central segment"),
        Key("filter", "slash", "filter", "Filter", "Filter: words, or size>100 variance<0.65 state:accepted"),
        Key("jump", "g", "jump", "Go to", "Jump to a cluster by its number, name or label"),
        Key("sort", "s", "sort(1)", "Sort", "Sort by the next column (or click a title)"),
        Key("sort_back", "S", "sort(-1)", "Sort back", "Sort by the column before", False),
        Key("reverse", "r", "reverse", "Reverse", "Turn the order around"),
        Key("modality", "i", "modality", "Images", "Clusters of segments, or of crops"),
        Key("k", "K", "next_k", "Next k", "The clusters of the next k"),
        Key("write", "w", "write", "WAV", "Write the most central segment to a WAV file in the run"),
    ),
    "curate": (
        Key("name", "n", "name", "Name", "Name the cluster (empty: take the name away)"),
        Key("accept", "a", "state('accepted')", "Accept", "Accept the cluster; again: back to new"),
        Key("reject", "x", "state('rejected')", "Reject", "Reject the cluster; again: back to new"),
        Key("note", "t", "note", "Note", "Write a note on the cluster"),
        Key("merge", "M", "merge", "Merge", "Merge the cluster into another, or take it out again"),
        Key("undo", "u", "undo", "Undo", "Take back the last decision"),
        Key("redo", "U,ctrl+y", "redo", "Redo", "Bring back what was undone"),
    ),
    "sound": (
        Key("caption", "c", "caption", "Caption", "Play the whole caption"),
        Key("loop", "l", "loop", "Loop", "Repeat the sound until stopped"),
        Key("slower", "minus", "speed(-1)", "Slower", "Slower, at the same pitch"),
        Key("faster", "plus,equals_sign", "speed(1)", "Faster", "Faster, at the same pitch"),
        Key("stop", "s", "stop", "Stop", "Stop the sound"),
        Key("write", "w", "write", "WAV", "Write the segment to a WAV file in the run"),
    ),
    "cluster": (
        Key("play", "enter,space", "play", "Play", "Play the segment under the cursor"),
        Key("through", "p", "through", "Through", "Play the members one after the other, hands-free"),
        Key("pair", "o", "pair", "Pair", "Open the pair of the segment under the cursor"),
        Key("split", "d", "split", "Split", "Split the member off the cluster; again: put it back"),
        Key("previous", "comma", "step(-1)", "Prev", "The cluster before, in the table's order"),
        Key("next", "full_stop", "step(1)", "Next", "The next cluster, in the table's order"),
        Key("links", "v", "links", "Links", "Linked and nearest clusters, or the member (small windows)"),
        Key("similar", "f", "similar", "Find", "Search with the segment under the cursor"),
    ),
    "pair": (
        Key("play", "enter,space", "play", "Play", "Play the segment of the grounding"),
        Key("previous", "left,up", "step(-1)", "Prev", "The grounding before"),
        Key("next", "right,down", "step(1)", "Next", "The next grounding"),
        Key("cluster", "o", "cluster('speech')", "Cluster", "Open the grounding's cluster of segments"),
        Key("image_cluster", "i", "cluster('image')", "Image cluster", "Open the grounding's cluster of crops"),
        Key("similar", "f", "similar('sound')", "Find", "Search with the segment"),
        Key("similar_picture", "F", "similar('picture')", "Find picture", "Search with the picture"),
    ),
    "map": (
        Key("left", "left,h", "walk(-1,0)", "Left", "The nearest cluster to the left", False),
        Key("right", "right,l", "walk(1,0)", "Right", "The nearest cluster to the right", False),
        Key("up", "up,k", "walk(0,-1)", "Up", "The nearest cluster above", False),
        Key("down", "down,j", "walk(0,1)", "Down", "The nearest cluster below", False),
        Key("previous", "comma", "step(-1)", "Prev", "The cluster before, by variance"),
        Key("next", "full_stop", "step(1)", "Next", "The next cluster, by variance"),
        Key("open", "enter,o", "open", "Open", "Open the cluster"),
        Key("play", "space", "play", "Play", "Play the cluster's most central segment"),
        Key("write", "w", "write", "WAV", "Write the cluster's most central segment to a WAV file in the run"),
    ),
    "search": (
        Key("record", "ctrl+r", "record", "Record", "Record from the microphone; again: stop and search"),
        Key("path", "slash", "path", "File", "Type the path of a sound or a picture"),
        Key("play", "space", "play", "Play", "Play the hit under the cursor"),
        Key("write", "w", "write", "WAV", "Write the hit's segment or caption to a WAV file in the run"),
        Key("stop", "s", "stop", "Stop", "Stop the sound"),
    ),
}  # fmt: skip

TITLES = {
    "app": "Everywhere", "table": "Tables", "clusters": "Clusters", "curate": "Curation", "sound": "Sound",
    "cluster": "A cluster", "pair": "A pair", "map": "Map", "search": "Search",
}  # fmt: skip

TOGETHER = (  # scopes whose keys are live at the same time
    ("clusters", "curate", "table", "app"),
    ("cluster", "curate", "sound", "app"),
    ("pair", "sound", "app"),
    ("map", "curate", "app"),
    ("search", "table", "app"),
)
OVERRIDES = {("cluster.similar", "app.search"), ("pair.similar", "app.search"), ("cluster.play", "table.choose")}

SIGNS = {
    "full_stop": ".", "plus": "+", "minus": "-", "equals_sign": "=", "slash": "/", "comma": ",", "escape": "esc",
    "left": "←", "right": "→", "up": "↑", "down": "↓", "space": "space", "enter": "enter",
}  # fmt: skip

LOOKS = ("theme", "pictures")  # what the user's file may set besides keys
Keymap = dict[str, str]


def bindings(*scopes: str) -> list[BindingType]:
    """Textual bindings of these scopes; their ids are `scope.name`."""
    return [
        Binding(key.keys, key.action, key.text, show=key.show, tooltip=key.help, id=f"{scope}.{key.name}")
        for scope in scopes
        for key in KEYS[scope]
    ]


def keys_path() -> Path:
    """Where the user's keys are read from."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "avterm" / "keys.toml"


def load_keymap(path: Path | None = None) -> Keymap:
    """The keys that the user's file changes, {id: keys}; empty without a file.

    Raises ConfigError where a scope or action is unknown, a key is unusable, or two actions that are live at the same
    time would have the same key.
    """
    path = keys_path() if path is None else path
    if not path.exists():
        return {}
    keymap: Keymap = {}
    for scope, table in read_toml(path).items():
        if scope in LOOKS:
            continue
        if scope not in KEYS:
            raise ConfigError(f"{path}: table [{scope}] is not known{_nearest(scope, KEYS)}")
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: expected a table [{scope}] of actions, found {table!r:.60}")
        names = {key.name: key for key in KEYS[scope]}
        for name, value in table.items():
            if name not in names:
                raise ConfigError(f"{path}: [{scope}] action {name!r} is not known{_nearest(name, names)}")
            keymap[f"{scope}.{name}"] = _keys(value, f"{path}: [{scope}] {name}")
    _refuse_clashes(keymap, path)
    return keymap


def load_looks(path: Path | None = None) -> dict[str, str]:
    """`theme` and `pictures`, where the user's file sets them; ConfigError where they are no text."""
    path = keys_path() if path is None else path
    read = read_toml(path) if path.exists() else {}
    looks = {name: read[name] for name in LOOKS if name in read}
    for name, value in looks.items():
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {name}: expected text in quotes, found {value!r:.60}")
    return looks


def current(keymap: Mapping[str, str]) -> Iterator[tuple[str, Key, str]]:
    """(scope, key, keys as set now) of everything, in order."""
    for scope, keys in KEYS.items():
        for key in keys:
            yield scope, key, keymap.get(f"{scope}.{key.name}", key.keys)


def as_toml(keymap: Mapping[str, str], looks: Mapping[str, str] | None = None) -> str:
    """The keys and looks as they are set now, as a file to start from."""
    examples = {"theme": "avterm-dark", "pictures": "auto"}
    set_now = dict(looks or {})
    lines = [
        ("" if name in set_now else "# ") + f"{name} = {json.dumps(set_now.get(name, example))}"
        for name, example in examples.items()
    ] + [""]
    last = ""
    for scope, key, keys in current(keymap):
        if scope != last:
            lines += ["", f"[{scope}]"] if last else [f"[{scope}]"]
            last = scope
        lines.append(f'{key.name} = "{keys}"  # {key.help}')
    return "\n".join(lines) + "\n"


def shown(keys: str) -> str:
    """Keys as a person reads them: `question_mark,f1` → `? f1`."""
    return " ".join(_shown(key) for key in keys.split(","))


def _shown(key: str) -> str:
    *modifiers, last = key.split("+")
    if last in SIGNS:
        last = SIGNS[last]
    elif len(last) > 1:
        with contextlib.suppress(KeyError):
            sign = unicodedata.lookup(last.replace("_", " ").upper())
            last = sign if sign.isprintable() and sign != " " else last
    return "+".join([*modifiers, last])


def _keys(value: object, where: str) -> str:
    values = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else None
    if not values or not all(isinstance(v, str) and v.strip() for v in values):
        raise ConfigError(
            f'{where}: expected a key or a list of keys, as in "a" or ["a", "ctrl+a"], found {value!r:.60}'
        )
    return ",".join(_key(v.strip(), where) for v in values)


def _key(text: str, where: str) -> str:
    if len(text) == 1:
        if text.isalnum():
            return text
        known = {".": "full_stop", "+": "plus", "-": "minus", "=": "equals_sign", "/": "slash"}
        return known.get(text) or unicodedata.name(text, "space").lower().replace("-", "_").replace(" ", "_")
    if not all(part and part.replace("_", "").isalnum() for part in text.split("+")):
        raise ConfigError(f"{where}: expected a key such as a, ctrl+a, f2 or space, found {text!r:.60}")
    return text


def _refuse_clashes(keymap: Keymap, path: Path) -> None:
    for scopes in TOGETHER:
        taken: dict[str, str] = {}
        for scope, key, keys in current(keymap):
            if scope not in scopes:
                continue
            name = f"{scope}.{key.name}"
            for one in keys.split(","):
                other = taken.setdefault(one, name)
                if other != name and not {(name, other), (other, name)} & OVERRIDES and {name, other} & set(keymap):
                    raise ConfigError(f"{path}: {shown(one)} is set for both {other} and {name}; change one of them")


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
