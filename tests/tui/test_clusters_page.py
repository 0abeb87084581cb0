"""The clusters' table: order, filter, jump, sides, decisions."""

from __future__ import annotations

import shutil

import pytest
from textual.widgets import Input

from avterm.store.clusters import clusters_path
from avterm.store.curation import read_curation
from avterm.store.journal import Journal
from avterm.tui.screens.cluster import ClusterPage
from avterm.tui.screens.clusters import ClustersPage
from avterm.tui.screens.prompts import MergePrompt, TextPrompt
from avterm.tui.widgets.table import Table
from tests.synthetic import make_run
from tests.tui.support import make_app, make_session, session_of, settle


@pytest.fixture
def session(tmp_path):
    return make_session(tmp_path)


def shown(app):
    return [row.cluster for row in app.screen._shown]


async def test_sorted_by_variance_at_first(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        variance = [row.variance for row in app.screen._shown]
        assert variance == sorted(variance)
        assert app.focused is app.screen.query_one("#clusters", Table)


async def test_sorting_by_every_column(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        seen = set()
        for _ in range(11):
            await pilot.press("s")
            seen.add(app.screen.sort)
        assert len(seen) == 11
        assert app.screen.sort == "variance"
        await pilot.press("r")
        variance = [row.variance for row in app.screen._shown]
        assert variance == sorted(variance, reverse=True)
        await pilot.press("S")
        assert app.screen.sort == "name"


async def test_a_click_on_a_title_sorts_and_a_second_turns_around(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.click("#clusters", offset=(2, 0))
        assert shown(app) == [0, 1, 2, 3, 4, 5]
        await pilot.click("#clusters", offset=(2, 0))
        assert shown(app) == [5, 4, 3, 2, 1, 0]


async def test_filter_as_you_type(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"boat")
        assert shown(app) == [2]
        await pilot.press("enter")
        assert app.focused is app.screen.query_one("#clusters")
        assert app.screen.query_one("#filter").display
        await pilot.press("escape")
        assert len(shown(app)) == 6
        assert not app.screen.query_one("#filter").display
        await pilot.press("slash", *"purity>0.85", "escape")
        assert len(shown(app)) == 6
        await pilot.press("slash", *"zebra", "enter", "enter", "a", "space")
        await settle(pilot)
        assert isinstance(app.screen, ClustersPage)


async def test_jump(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for text, expected in (("5", 5), ("boat", 2), ("#3", 3), ("cast", 1)):
            await pilot.press("g", *[{"#": "number_sign"}.get(c, c) for c in text], "enter")
            await pilot.pause()
            assert app.screen.subject() == ("speech", expected)
        await pilot.press("slash", *"dog", "enter", "g", "0", "enter")
        await pilot.pause()
        assert app.screen.subject() == ("speech", 0)
        assert app.screen.query_one("#filter", Input).value == ""
        await pilot.press("g", *"999", "enter")
        await pilot.pause()
        assert app.screen.subject() == ("speech", 0)
        await pilot.press("g", "escape")
        assert isinstance(app.screen, ClustersPage)


async def test_moving_and_opening(session):
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        table = app.screen.query_one("#clusters", Table)
        for key, expected in (("down", 1), ("j", 2), ("up", 1), ("k", 0), ("end", 5), ("home", 0), ("G", 5),
                              ("pageup", 0), ("pagedown", 5), ("left", 5), ("right", 5)):  # fmt: skip
            await pilot.press(key)
            assert table.cursor == expected
        await pilot.click("#clusters", offset=(10, 3))
        assert table.cursor == 2
        await pilot.click("#clusters", offset=(10, 3), times=2)
        await settle(pilot)
        assert isinstance(app.screen, ClusterPage)
        await pilot.press("escape")
        assert isinstance(app.screen, ClustersPage)
        await pilot.press("enter")
        assert isinstance(app.screen, ClusterPage)


async def test_clusters_of_crops(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        assert app.screen.subject()[0] == "image"
        await pilot.press("enter")
        await settle(pilot)
        assert (app.screen.modality, len(app.screen.members)) == ("image", 8)


async def test_another_k(session):
    folder = session.run.path / "clusters"
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("K")
        assert session.k == 6
        shutil.copy(clusters_path(folder, 6), clusters_path(folder, 7))
        await pilot.press("K")
        await settle(pilot)
        assert len(shown(app)) == 6


async def test_speakers_are_counted_where_nothing_was_evaluated(tmp_path):
    session = session_of(make_run(tmp_path, media=False))
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for row in app.screen._shown:
            rows = session.clusters.speech.members(row.cluster)
            pairs = session.run.groundings.pair_of(rows)
            assert row.speakers == len({int(p) % 3 for p in pairs})
        assert "label" not in app.screen._columns


async def test_playing_the_most_central_segment(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        await settle(pilot)
        assert session.fake.played == [(8000, False)]


def kept(session):
    return read_curation(session.run)


async def test_what_cannot_be_heard_is_written_by_the_key_that_is_named(session):
    session.loop = True  # as set on a cluster's screen; here no key would end it
    app = make_app(session, keymap={"clusters.write": "f6"})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        await settle(pilot)
        assert session.fake.played == [(8000, False)]
        session.fake.finish("no sound; press {key}")
        await settle(pilot)
        assert [n.message for n in app._notifications] == ["no sound; press f6"]
        await pilot.press("f6")
        await settle(pilot)
        assert len(list(session.clips.glob("*.wav"))) == 1
        await pilot.press("slash", *"no such cluster", "enter", "f6")  # nothing under the cursor, nothing written
        await settle(pilot)
        assert len(list(session.clips.glob("*.wav"))) == 1


async def test_decisions_are_on_disk_at_once(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        cluster = app.screen.subject()[1]
        await pilot.press("a")
        await settle(pilot)
        assert kept(session).state(cluster) == "accepted"
        assert app.screen._shown[0].state == "accepted"
        await pilot.press("x")
        await settle(pilot)
        assert kept(session).state(cluster) == "rejected"
        await pilot.press("x")
        await settle(pilot)
        assert kept(session).state(cluster) == "new"
        await pilot.press("n")
        assert isinstance(app.screen, TextPrompt)
        await pilot.press(*"Baum", "enter")
        await settle(pilot)
        assert kept(session).name(cluster) == "Baum"
        await pilot.press("t", *"two", "enter")
        await settle(pilot)
        assert kept(session).note(cluster) == "two"
        await pilot.press("n", *["backspace"] * 4, "enter")
        await settle(pilot)
        assert kept(session).name(cluster) is None
        await pilot.press("n", "q", "escape")
        await settle(pilot)
        assert kept(session).name(cluster) is None


async def test_undo_and_redo(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        cluster = app.screen.subject()[1]
        await pilot.press("u", "U")
        await settle(pilot)
        await pilot.press("a", "x", "u")
        await settle(pilot)
        assert kept(session).state(cluster) == "accepted"
        await pilot.press("u")
        await settle(pilot)
        assert kept(session).state(cluster) == "new"
        await pilot.press("ctrl+y", "U")
        await settle(pilot)
        assert kept(session).state(cluster) == "rejected"


async def test_merging_and_taking_out_again(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        cluster = app.screen.subject()[1]
        await pilot.press("M")
        await settle(pilot)
        assert isinstance(app.screen, MergePrompt)
        nearest = session.nearest("speech", cluster)[0][0]
        await pilot.press("enter")
        await settle(pilot)
        assert kept(session).merged_into(cluster) == nearest
        await pilot.press("M")
        await settle(pilot)
        assert kept(session).merged_into(cluster) is None
        await pilot.press("M")
        await settle(pilot)
        await pilot.press(*"boat", "down", "up", "enter")
        await settle(pilot)
        assert kept(session).merged_into(cluster) == 2
        await pilot.press("g", "2", "enter", "M")
        await settle(pilot)
        await pilot.press(*str(cluster), "enter")
        await settle(pilot)
        assert kept(session).merged_into(2) is None  # no loops
        await pilot.press("M")
        await settle(pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, ClustersPage)


async def test_decisions_of_before_are_shown(session):
    session.read_curation()
    session.decide("speech", "name", 3, value="Zug")
    app = make_app(session_of(session.run))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert next(r for r in app.screen._shown if r.cluster == 3).name == "Zug"


async def test_a_journal_that_cannot_be_written_is_said(session):
    (session.run.path / "curation.jsonl").mkdir()
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("a")
        await settle(pilot)
        assert any("not kept" in n.message for n in app._notifications)
        assert all(row.state == "new" for row in app.screen._shown)


async def test_keys_of_the_user(session):
    app = make_app(session, keymap={"curate.accept": "y", "clusters.filter": "f4"})
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("a")
        await settle(pilot)
        assert Journal(session.journal.path).history().done == ()
        await pilot.press("y")
        await settle(pilot)
        assert len(Journal(session.journal.path).history().done) == 1
        await pilot.press("f4")
        assert app.screen.query_one("#filter").display


async def test_the_key_bar_names_keys_as_set_and_can_be_clicked(session):
    app = make_app(session, keymap={"curate.accept": "y"})
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        bar = app.screen.query_one("KeyBar")
        lines = bar._lines(bar.size.width)
        flat = [entry for line in lines for entry in line]
        assert ("y", "Accept", "y") in flat
        assert [e[1] for e in flat][:2] == ["Play", "Filter"]
        first = sum(len(k) + len(w) + 3 for k, w, _ in lines[0][:1])
        await pilot.click("KeyBar", offset=(first + 1, 0))
        assert app.screen.query_one("#filter").display


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_every_order_is_marked_and_no_title_is_cut(session, size):
    app = make_app(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        table = app.screen.query_one("#clusters")
        for _ in table.columns:
            await pilot.press("s")
            titles = table.render_line(0).text
            falling = app.screen.falling
            assert titles.count("▼" if falling else "▲") == 1
            assert titles.count("▲" if falling else "▼") == 0
            assert "…" not in titles
