"""Keys: the table, the user's file, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from avterm.errors import ConfigError
from avterm.tui.keys import (
    KEYS,
    OVERRIDES,
    TOGETHER,
    as_toml,
    bindings,
    current,
    keys_path,
    load_keymap,
    load_looks,
    shown,
)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "avterm").mkdir()
    return keys_path()


def test_no_file_changes_nothing(path):
    assert load_keymap() == {}


def test_a_file_changes_keys(path):
    path.write_text('[curate]\naccept = "y"\nname = ["n", "f2"]\n[clusters]\nfilter = "\\\\"\n')
    assert load_keymap() == {"curate.accept": "y", "curate.name": "n,f2", "clusters.filter": "reverse_solidus"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[curate]\nacept = "y"', "did you mean 'accept'"),
        ('[curat]\naccept = "y"', "did you mean 'curate'"),
        ('[curate]\naccept = ""', "expected a key"),
        ("[curate]\naccept = 3", "expected a key"),
        ('[curate]\naccept = ["a", 1]', "expected a key"),
        ('[curate]\naccept = "ctrl+"', "expected a key such as"),
        ('curate = "y"', "expected a table"),
        ('[curate]\naccept = "x"', "is set for both"),
        ('[clusters]\nfilter = "a"', "is set for both"),
        ("[curate", "expected a readable TOML"),
    ],
)
def test_a_wrong_file_is_one_line(path, text, expected):
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected) as caught:
        load_keymap()
    assert str(path) in str(caught.value)


def test_no_two_actions_have_the_same_key_by_default():
    for scopes in TOGETHER:
        taken = {}
        for scope, key, keys in current({}):
            if scope in scopes:
                for one in keys.split(","):
                    name = f"{scope}.{key.name}"
                    other = taken.setdefault(one, name)
                    assert other == name or {(name, other), (other, name)} & OVERRIDES, (one, name, other)


def test_the_printed_file_is_one_that_loads(path):
    path.write_text(as_toml({}))
    assert load_keymap() == {f"{s}.{k.name}": k.keys for s in KEYS for k in KEYS[s]}


def test_theme_and_pictures_stand_above_the_keys(path):
    assert load_looks() == {}
    path.write_text('theme = "nord"\n[curate]\naccept = "y"\n')
    assert (load_looks(), load_keymap()) == ({"theme": "nord"}, {"curate.accept": "y"})
    looks = {"theme": 'a "quoted" one', "pictures": "off"}
    path.write_text(as_toml({}, looks))
    assert load_looks() == looks
    path.write_text("pictures = 3\n")
    with pytest.raises(ConfigError, match=r"keys\.toml: pictures: expected text in quotes, found 3"):
        load_looks()


def test_the_page_about_the_app_lists_every_key():
    page = (Path(__file__).parents[2] / "docs" / "browse.md").read_text(encoding="utf-8")
    rows = [line.split(" | ", 1)[1] for line in page.splitlines() if line.startswith("| ") and "`" in line]
    listed = [f"{' '.join(f'`{k}`' for k in shown(key.keys).split(' '))} | {key.help} |" for _, key, _ in current({})]
    assert rows == listed


def test_every_binding_has_its_id_and_help():
    for scope in KEYS:
        for key, binding in zip(KEYS[scope], bindings(scope), strict=True):
            assert binding.id == f"{scope}.{key.name}"
            assert binding.tooltip


@pytest.mark.parametrize(("keys", "text"), [("question_mark,f1", "? f1"), ("left,ctrl+b", "← ctrl+b"),
                                            ("space", "space"), ("full_stop", "."),
                                            ("escape", "esc"), ("enter", "enter")])  # fmt: skip
def test_keys_as_a_person_reads_them(keys, text):
    assert shown(keys) == text
    assert shown(keys).isprintable()
