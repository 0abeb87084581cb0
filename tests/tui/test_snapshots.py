"""How the screens look, to the letter, at the smallest terminal and at a comfortable one."""

from __future__ import annotations

import numpy as np
import pytest

from avterm.store.shards import Header, write_shard
from avterm.tui.points import KIND, map_path
from tests.tui.support import make_app, make_session, settle

SIZES = [(80, 24), (120, 40)]
SCREENS = {
    "clusters": [],
    "filtered": ["slash", *"boat", "enter"],
    "cluster": ["g", "2", "enter", "enter"],
    "kin": ["g", "2", "enter", "enter", "v"],
    "pair": ["g", "2", "enter", "enter", "o"],
    "map": ["g", "2", "enter", "m"],
    "search": ["f"],
    "help": ["question_mark"],
    "name": ["n"],
    "merge": ["M"],
}


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize("name", SCREENS)
def test_screens(tmp_path, monkeypatch, snap_compare, size, name):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/you/.config")
    session = make_session(tmp_path)
    points = np.array([[0.1, 0.1], [0.9, 0.2], [0.4, 0.5], [0.1, 0.9], [0.8, 0.9], [0.5, 0.1]], np.float32)
    header = Header(KIND, 6, session.clusters.fingerprint, {})
    write_shard(map_path(session.run, 6, "speech"), header, {"point": points})
    session.read_curation()
    session.decide("speech", "name", 2, value="Boot")
    session.decide("speech", "state", 2, value="accepted")
    session.decide("speech", "state", 5, value="rejected")
    app = make_app(session)

    async def go(pilot):
        await settle(pilot)
        for key in SCREENS[name]:
            await pilot.press(key)
            if key in ("enter", "o", "m", "M"):
                await settle(pilot)
        for entry in app.screen.query("Input"):
            entry.cursor_blink = False
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=go)
