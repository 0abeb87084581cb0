"""A pair, the map, the search, help, palette and themes."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from textual.command import CommandPalette
from textual.widgets import Input

from avterm.errors import BadInput, UsageError
from avterm.store.curation import read_curation
from avterm.store.shards import Header, write_shard
from avterm.tui.app import BrowseApp
from avterm.tui.points import KIND, map_path
from avterm.tui.screens.cluster import ClusterPage
from avterm.tui.screens.clusters import ClustersPage
from avterm.tui.screens.help import HelpPage
from avterm.tui.screens.map import MapPage
from avterm.tui.screens.pair import PairPage
from avterm.tui.screens.search import SearchPage, complete
from avterm.tui.searcher import Hit, kind_of
from avterm.tui.widgets.scatter import Scatter
from avterm.tui.widgets.table import Table
from tests.tui.support import FakeRecorder, make_app, make_session, settle

POINTS = np.array([[0.1, 0.1], [0.9, 0.1], [0.5, 0.35], [0.1, 0.9], [0.9, 0.9], [0.5, 0.1]], np.float32)


@pytest.fixture
def session(tmp_path):
    return make_session(tmp_path)


def keep_map(session, points=POINTS, modality="speech"):
    path = map_path(session.run, session.k, modality)
    write_shard(path, Header(KIND, len(points), session.clusters.fingerprint, {}), {"point": points})


async def open_pair(pilot):
    await settle(pilot)
    await pilot.press("g", "2", "enter", "enter")
    await settle(pilot)
    await pilot.press("o")
    await settle(pilot)
    return pilot.app.screen


async def test_a_pair_shows_all_groundings_and_arrows_move(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await open_pair(pilot)
        assert [m.row - page.groundings[0].row for m in page.groundings] == [0, 1, 2, 3]
        start = page._at
        await pilot.press(*["left"] * 5)
        assert page._at == 0
        for key, at in (("right", 1), ("down", 2), ("right", 3), ("right", 3), ("up", 2), ("left", 1)):
            await pilot.press(key)
            assert page._at == at
        await settle(pilot)
        await pilot.press("space", "c", "enter")
        await settle(pilot)
        assert session.fake.played[-1] == (8000, False)
        await pilot.click("#groundings", offset=(5, 4))
        assert page._at == 3
        assert start < 4


async def test_from_a_pair_to_its_clusters_and_to_the_search(session):
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        page = await open_pair(pilot)
        speech, image = page.clusters[page._at]
        await pilot.press("o")
        await settle(pilot)
        assert (app.screen.modality, app.screen.cluster) == ("speech", speech)
        await pilot.press("escape", "i")
        await settle(pilot)
        assert (app.screen.modality, app.screen.cluster) == ("image", image)
        await pilot.press("escape", "f")
        await settle(pilot)
        assert isinstance(app.screen, SearchPage)
        assert app.screen.path.suffix == ".wav"
        await pilot.press("escape", "F")
        await settle(pilot)
        assert app.screen.kind == "picture"
        await pilot.press("escape", "w", "l", "plus", "minus", "s")
        await settle(pilot)
        assert app.screen is page
        assert len(list(session.clips.glob("*.wav"))) == 1


async def test_walking_through_the_map(session):
    keep_map(session)
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("g", "0", "enter", "m")
        await settle(pilot)
        page, scatter = app.screen, app.screen.query_one(Scatter)
        assert isinstance(page, MapPage)
        assert scatter.cursor == 0
        for key, at in (("right", 5), ("right", 1), ("down", 4), ("left", 3), ("up", 0), ("l", 5), ("j", 2), ("k", 5)):
            await pilot.press(key)
            assert scatter.cursor == at, key
        order = page._ranks
        await pilot.press("full_stop")
        assert scatter.cursor == order[(order.index(5) + 1) % 6]
        await pilot.press("comma")
        assert scatter.cursor == 5
        await pilot.press("space", "a")
        await settle(pilot)
        assert session.fake.played == [(8000, False)]
        assert read_curation(session.run).state(5) == "accepted"
        column, line = scatter.cells()[3]
        await pilot.click("#map", offset=(int(column), int(line)))
        assert scatter.cursor == 3
        await pilot.press("enter")
        await settle(pilot)
        assert (type(app.screen), app.screen.cluster) == (ClusterPage, 3)
        await pilot.press("escape", "o")
        await settle(pilot)
        assert app.screen.cluster == 3


async def test_a_map_with_empty_clusters_begins_where_something_is(session):
    points = POINTS.copy()
    points[0] = np.nan
    keep_map(session, points)
    app = make_app(session)
    async with app.run_test(size=(30, 8)) as pilot:
        await settle(pilot)
        await pilot.press("g", "0", "enter", "m")
        await settle(pilot)
        assert app.screen.query_one(Scatter).cursor != 0
        await pilot.press("left", "up", "right", "down", "comma")
        await pilot.resize_terminal(10, 5)
        await settle(pilot)


class Process:
    """Stands in for t-SNE's process."""

    def __init__(self, code: int, said: bytes, then=None):
        self.returncode, self._said, self._then = code, said, then

    async def communicate(self):
        if self._then is not None:
            self._then()
        return b"", self._said


@pytest.mark.parametrize("good", [True, False])
async def test_the_map_is_made_in_a_process_of_its_own(session, monkeypatch, good):
    commands = []

    async def start(*command, **options):
        commands.append(command)
        return Process(0, b"", lambda: keep_map(session)) if good else Process(1, b"Traceback\nno room on the disk\n")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("m")
        await settle(pilot)
        assert commands[0][2:] == ("avterm.tui.layout", str(session.run.path), "6", "speech")
        title = str(app.screen.query_one("#title").render())
        assert ("t-SNE" in title) if good else ("no room on the disk" in title)
        await pilot.press("left", "enter", "space", "full_stop")
        await settle(pilot)


class Finder:
    """A searcher that knows what it was asked."""

    def __init__(self):
        self.asked = []

    def by_sound(self, path):
        self.asked.append(("sound", path.name))
        return [Hit("cluster", "3", 0.9), Hit("pair", "pair 4", 0.8, text="a tree"), Hit("pair", "nobody", 0.1),
                Hit("cluster", "77", 0.1), Hit("cluster", "2", 0.05, "image")]  # fmt: skip

    def by_picture(self, path):
        self.asked.append(("picture", path.name))
        if path.name == "bad.png":
            raise BadInput("bad.png: expected a picture")
        return [Hit("cluster", "2", 0.9, "image")]

    def close(self):
        self.asked.append("closed")


async def test_search_by_a_file(tmp_path):
    finder = Finder()
    session = make_session(tmp_path, searcher=lambda: finder)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    app = make_app(session)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        page = app.screen
        entry = page.query_one("#path", Input)
        for wrong in ("a.txt", str(tmp_path / "missing.wav")):
            entry.value = wrong
            await pilot.press("enter")
            await settle(pilot)
            assert finder.asked == []
        entry.value = str(tmp_path / "a.wav")
        await pilot.press("enter")
        await settle(pilot)
        assert finder.asked == [("sound", "a.wav")]
        assert app.focused is page.query_one("#hits", Table)
        await pilot.press("space")
        await settle(pilot)
        assert session.fake.played == [(8000, False)]
        await pilot.press("enter")
        await settle(pilot)
        assert (type(app.screen), app.screen.cluster) == (ClusterPage, 3)
        await pilot.press("escape", "down", "space")
        await settle(pilot)
        assert session.fake.played[-1] == (48_000, False)
        await pilot.press("w", "up", "w", "down")
        await settle(pilot)
        assert sorted(p.stat().st_size for p in session.clips.glob("*.wav")) == [44 + 2 * 8000, 44 + 2 * 48_000]
        await pilot.press("enter")
        await settle(pilot)
        assert (type(app.screen), app.screen.current().id) == (PairPage, "pair 4")
        await pilot.press("escape")
        for _ in range(2):  # hits that are not in this run
            await pilot.press("down", "space", "enter")
            await settle(pilot)
            assert app.screen is page
        await pilot.press("down", "enter")
        await settle(pilot)
        assert (app.screen.modality, app.screen.cluster) == ("image", 2)
        await pilot.press("escape", "slash")
        assert app.focused is entry


async def test_search_by_a_picture_and_its_failure(tmp_path):
    finder = Finder()
    session = make_session(tmp_path, searcher=lambda: finder)
    app = make_app(session)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        for name, hits in (("good.png", 1), ("bad.png", 1)):
            (tmp_path / name).write_bytes(b"")
            app.screen.query_one("#path", Input).value = str(tmp_path / name)
            app.screen.query_one("#path").focus()
            await pilot.press("enter")
            await settle(pilot)
            assert len(app.screen.hits) == hits
        assert any("expected a picture" in n.message for n in app._notifications)


async def test_search_by_microphone(tmp_path):
    finder = Finder()
    session = make_session(tmp_path, searcher=lambda: finder)
    app = make_app(session)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("f", "ctrl+r")
        await settle(pilot)
        assert app.screen.recording
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert finder.asked == [("sound", "recorded.wav")]
        await pilot.press("ctrl+r")
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, ClustersPage)


@pytest.mark.parametrize(("recorder", "expected"), [
    (FakeRecorder("no microphone here"), "no microphone here"), (FakeRecorder(None, 10), "nothing was recorded"),
])  # fmt: skip
async def test_nothing_to_hear(tmp_path, recorder, expected):
    session = make_session(tmp_path, searcher=Finder, recorder=recorder)
    app = make_app(session)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("f", "ctrl+r")
        await settle(pilot)
        await pilot.press("ctrl+r") if recorder.error is None else None
        await settle(pilot)
        assert expected in str(app.screen.query_one("#status").render())


async def test_a_run_without_a_model_says_so(session):
    app = make_app(session)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        assert "no model" in str(app.screen.query_one("#status").render())
        app.screen.query_one("#path", Input).value = "a.wav"
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen.hits == ()


def test_paths_are_completed(tmp_path):
    for name in ("a.txt", "ab.wav", "abc.png", ".hidden.wav"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder").mkdir()
    assert complete(f"{tmp_path}/a") == f"{tmp_path}/ab.wav"
    assert complete(f"{tmp_path}/abc") == f"{tmp_path}/abc.png"
    assert complete(f"{tmp_path}/f") == f"{tmp_path}/folder/"
    assert complete(f"{tmp_path}/z") is None
    assert complete(f"{tmp_path}/no/such") is None
    assert kind_of(tmp_path / "A.JPG") == "picture"
    assert kind_of(tmp_path / "a") is None


async def test_help_lists_every_key_as_it_is_set(session):
    app = make_app(session, keymap={"curate.accept": "y"})
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for key in ("question_mark", "f1"):
            await pilot.press(key)
            assert isinstance(app.screen, HelpPage)
            await pilot.press("down", "pagedown", "escape")
            assert isinstance(app.screen, ClustersPage)


async def test_the_palette_opens_clusters_and_sorts(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, CommandPalette)
        await pilot.press(*"sort by purity")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await settle(pilot)
        assert app.screen.sort == "purity"
        await pilot.press("ctrl+p", *"s3 train")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await settle(pilot)
        assert (type(app.screen), app.screen.cluster) == (ClusterPage, 3)


async def test_themes(session):
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.theme == "avterm-dark"
        await pilot.press("ctrl+t")
        assert app.theme == "avterm-light"
        seen = set()
        for _ in range(len(app.available_themes) - 1):
            await pilot.press("ctrl+t")
            seen.add(app.theme)
        assert seen == set(app.available_themes) - {"avterm-light"}
        assert app.theme == "avterm-dark"


@pytest.mark.parametrize("options", [{"theme": "pink"}, {"pictures": "oil"}])
def test_unknown_options_are_refused(session, options):
    with pytest.raises(UsageError, match="is not known"):
        BrowseApp(session, **options)


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_leaving(session, key):
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("a", key)
        await pilot.pause()
    assert app.return_code == 0
    assert len(session.journal.history().done) == 1


@pytest.mark.parametrize(("key", "action"), [("m", "map"), ("f", "search")])
async def test_the_footer_does_not_offer_the_screen_that_is_open(session, key, action):
    app = make_app(session)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        offered = [b.binding.action for b in app.screen.active_bindings.values() if b.enabled]
        assert action in offered
        await pilot.press(key)
        await settle(pilot)
        await pilot.press("tab")
        offered = [b.binding.action for b in app.screen.active_bindings.values() if b.enabled]
        assert action not in offered
        depth = len(app.screen_stack)
        await app.run_action(action)
        assert len(app.screen_stack) == depth
