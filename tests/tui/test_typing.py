"""Keys that arrive faster than screens open and close: nothing typed lands in the wrong place."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from avterm.store.curation import read_curation
from avterm.tui.screens.prompts import MergePrompt, TextPrompt
from tests.tui.support import make_app, make_session, settle


def burst(app, *keys: tuple[str, str]) -> None:
    """Keys as a slow line delivers them: at once, with nothing done in between."""
    for key, character in keys:
        app.post_message(events.Key(key, character))


async def test_a_letter_after_enter_is_not_part_of_the_name(tmp_path):
    session = make_session(tmp_path)
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("g", "2", "enter", "n")
        await settle(pilot)
        burst(app, ("o", "o"), ("x", "x"), ("enter", "\r"), ("a", "a"))
        await settle(pilot)
        assert read_curation(session.run).name(2) == "ox"


async def test_a_letter_after_enter_is_not_part_of_a_path(tmp_path):
    app = make_app(make_session(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        given = []
        await pilot.press("f")
        await settle(pilot)
        app.screen.begin = lambda path, kind: given.append(path.name)
        burst(app, *[(letter, letter) for letter in "x"], ("full_stop", "."), *[(c, c) for c in "wav"],
              ("enter", "\r"), ("s", "s"))  # fmt: skip
        await settle(pilot)
        assert given == ["x.wav"]


@pytest.mark.parametrize("kind", ["text", "merge"])
async def test_letters_typed_while_a_prompt_opens_are_kept(tmp_path, kind):
    session = make_session(tmp_path)
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.push_screen(TextPrompt("Name", "b") if kind == "text" else MergePrompt(session, "speech", 0))
        burst(app, ("o", "o"), ("a", "a"))
        await settle(pilot)
        assert app.screen.query_one(Input).value.endswith("oa")
