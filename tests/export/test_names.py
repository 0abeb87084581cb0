"""File names made from ids that come from anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.export.names import file_names, plain, safe_name


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("utt_001-a.b", "utt_001-a.b"),
        ("pair 0", "pair_0"),
        ("../../etc/passwd", "_.._.._etc_passwd"),
        ("灯台", "灯台"),
        ("किताब", "किताब"),
        ("", "_"),
        ("-rf", "_-rf"),
        ("CON", "_CON"),
        ("a\x00b\nc", "a_b_c"),
        ("dots...", "dots"),
        ("\udc80", "_"),
    ],
)
def test_safe_names(id: str, name: str) -> None:
    assert safe_name(id) == name


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=300), unique=True, max_size=20))
def test_names_are_distinct_and_stay_in_the_folder(ids: list[str]) -> None:
    names = file_names(ids)
    assert len({name.casefold() for name in names.values()}) == len(ids)
    for name in names.values():
        assert Path("folder", f"{name}.TextGrid").parent == Path("folder")
        assert len(name.encode()) < 200
        assert len(name.split()) == 1
        assert name[0] not in ".-"


def test_same_names_differ_by_a_hash() -> None:
    names = file_names(["a b", "a/b", "A_B", "x" * 500])
    assert names["a b"] == "a_b"
    assert names["a/b"].startswith("a_b~")
    assert names["A_B"].startswith("A_B~")
    assert len(names["x" * 500]) == 150


def test_plain_text_can_be_encoded() -> None:
    assert plain("a\udc80é") == "a\\udc80é"
    assert plain(None) is None
