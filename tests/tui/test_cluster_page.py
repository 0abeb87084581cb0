"""A cluster: members, sound, kin, splitting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from avterm.errors import BadInput
from avterm.store.curation import read_curation
from avterm.tui.player import SPEEDS
from avterm.tui.screens.cluster import ClusterPage
from avterm.tui.screens.pair import PairPage
from avterm.tui.screens.search import SearchPage
from avterm.tui.sound import NO_SPEAKER
from avterm.tui.widgets.picture import Picture
from avterm.tui.widgets.table import Table
from tests.tui.support import READERS, make_app, make_session, settle


@pytest.fixture
def session(tmp_path):
    return make_session(tmp_path)


async def opened(pilot, cluster="2"):
    await settle(pilot)
    await pilot.press("g", cluster, "enter", "enter")
    await settle(pilot)
    return pilot.app.screen


def messages(app):
    return [n.message for n in app._notifications]


async def test_members_from_the_centre_outwards(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        assert list(page.members.rows) == list(session.clusters.speech.members(2))
        assert sorted(page.members.distance) == list(page.members.distance)
        assert page.current().row == page.members.rows[0]
        assert page.query_one("#photograph", Picture)._image.display
        await pilot.press("down", "down")
        await settle(pilot)
        assert page.current().row == page.members.rows[2]


async def test_sound_keys(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        for key, length in (("enter", 8000), ("space", 8000), ("c", 48_000)):
            await pilot.press(key)
            await settle(pilot)
            assert session.fake.played[-1] == (length, False)
        await pilot.press("plus")
        assert SPEEDS[session.speed] == 1.25
        await pilot.press("minus", "minus", "minus", "space")
        await settle(pilot)
        assert session.fake.played[-1][0] == pytest.approx(8000 / SPEEDS[session.speed], rel=0.1)
        await pilot.press(*["minus"] * 9)
        assert session.speed == 0
        await pilot.press("l", "space")
        await settle(pilot)
        assert session.fake.played[-1][1] is True
        stops = session.fake.stops
        await pilot.press("s")
        assert session.fake.stops == stops + 1
        await pilot.press("l")
        assert not session.loop
        assert page.through is False


async def test_play_through_hands_free(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        table = page.query_one("#members", Table)
        await pilot.press("p")
        for number in range(8):
            await settle(pilot)
            assert table.cursor == number
            assert len(session.fake.played) == number + 1
            session.fake.finish()
            await pilot.pause(0.2)
        await settle(pilot)
        assert not page.through
        await pilot.press("home", "p")
        await settle(pilot)
        assert page.through
        await pilot.press("p")
        assert not page.through
        await pilot.press("p", "s")
        await settle(pilot)
        assert not page.through


async def test_play_through_passes_over_what_was_split_off(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        await pilot.press("down", "d")
        await settle(pilot)
        assert page.members.is_split(1)
        await pilot.press("home", "p")
        await settle(pilot)
        session.fake.finish()
        await pilot.pause(0.2)
        await settle(pilot)
        assert page.query_one("#members", Table).cursor == 2


async def test_no_device_is_one_line_that_names_the_key(session):
    app = make_app(session, keymap={"sound.write": "f6"})
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        await pilot.press("p")
        await settle(pilot)
        session.fake.finish(NO_SPEAKER)
        await settle(pilot)
        assert [m for m in messages(app) if "no sound device" in m] == [NO_SPEAKER.format(key="f6")]
        assert not page.through
        await pilot.press("f6")
        await settle(pilot)
        assert len(list(session.clips.glob("*.wav"))) == 1


async def test_a_late_end_of_an_older_sound_does_not_count(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        await pilot.press("space")
        await settle(pilot)
        old = session.fake.ended
        await pilot.press("p")
        await settle(pilot)
        old(None)
        await settle(pilot)
        assert page.query_one("#members", Table).cursor == 0


async def test_splitting_and_putting_back(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        row = page.current().row
        await pilot.press("d")
        await settle(pilot)
        assert read_curation(session.run).excluded(2) == {row}
        assert page.members.is_split(0)
        await pilot.press("d")
        await settle(pilot)
        assert read_curation(session.run).excluded(2) == set()
        await pilot.press("d", "u")
        await settle(pilot)
        assert read_curation(session.run).excluded(2) == set()


async def test_merged_members_are_listed(session):
    session.read_curation()
    session.decide("speech", "merge", 3, into=2)
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        assert len(page.members) == 16
        merged = next(i for i, r in enumerate(page.members.rows) if session.home("speech", int(r)) == 3)
        page.query_one("#members", Table).cursor = merged
        await settle(pilot)
        await pilot.press("d")
        await settle(pilot)
        assert read_curation(session.run).excluded(3) == {int(page.members.rows[merged])}
        assert page.members.is_split(merged)
        session.writer.submit(session.undo).result()
        session.writer.submit(session.undo).result()
        page.refresh_decisions()
        await settle(pilot)
        assert len(page.members) == 8


async def test_stepping_through_the_table(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        order = list(session.order)
        await pilot.press("enter")
        await settle(pilot)
        page = app.screen
        for key, at in (("comma", 0), ("full_stop", 1), ("full_stop", 2), ("comma", 1)):
            await pilot.press(key)
            await settle(pilot)
            assert page.cluster == order[at]
        assert page.members.cluster == order[1]


async def test_kin(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot, "4")
        assert page._linked[0][0] == session.clusters.image_of_speech[4]
        assert [c for c, _ in page._nearest] == [c for c, _ in session.nearest("speech", 4)]
        assert page.query_one("#crops", Picture)._image.display
        page.query_one("#nearest").focus()
        await pilot.press("down", "enter")
        await settle(pilot)
        assert (app.screen.modality, app.screen.cluster) == ("speech", page._nearest[1][0])
        await pilot.press("escape")
        page.query_one("#linked").focus()
        await pilot.press("enter")
        await settle(pilot)
        assert (app.screen.modality, app.screen.cluster) == ("image", page._linked[0][0])


async def test_kin_in_a_small_window(session):
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(pilot, "4")
        assert page.query_one("#kin").region.width == 0
        await pilot.press("v")
        await settle(pilot)
        assert page.query_one("#kin").region.width > 30
        assert app.focused is page.query_one("#linked")
        await pilot.press("v")
        assert app.focused is page.query_one("#members")


async def test_the_pair_and_the_search_open(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        row = page.current().row
        await pilot.press("o")
        await settle(pilot)
        assert isinstance(app.screen, PairPage)
        assert app.screen.current().row == row
        await pilot.press("escape", "f")
        await settle(pilot)
        assert isinstance(app.screen, SearchPage)
        assert app.screen.path.exists()
        await pilot.press("escape")
        assert isinstance(app.screen, ClusterPage)


async def test_decisions_on_the_page(session):
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await pilot.press("a", "n", *"Boot", "enter", "t", *"hm", "enter")
        await settle(pilot)
        curation = read_curation(session.run)
        assert (curation.state(2), curation.name(2), curation.note(2)) == ("accepted", "Boot", "hm")
        await pilot.press("escape")
        await settle(pilot)
        row = next(r for r in app.screen._shown if r.cluster == 2)
        assert (row.state, row.name) == ("accepted", "Boot")


async def test_missing_media_break_nothing(tmp_path):
    def refuse(path):
        raise BadInput(f"{path}: no such file")

    session = make_session(tmp_path, readers=replace(READERS, audio=refuse, picture=refuse))
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        assert "no such file" in str(page.query_one("#photograph", Picture)._note.render())
        await pilot.press("space", "c", "w", "f")
        await settle(pilot)
        assert app.screen is page
        assert session.fake.played == []
        assert any("no such file" in m for m in messages(app))
        await pilot.press("p")
        await pilot.pause(1.5)
        await settle(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert isinstance(app.screen, PairPage)


async def test_an_empty_cluster(tmp_path):
    session = make_session(tmp_path, k=8)
    app = make_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot, "7")
        assert len(page.members) == 0
        await pilot.press("space", "c", "p", "w", "o", "d", "f", "down", "end", "a", "full_stop")
        await settle(pilot)
        await pilot.press("escape", "space")
        await settle(pilot)


@pytest.mark.parametrize("pictures", ["auto", "kitty", "sixel", "halfcell", "unicode", "off"])
async def test_every_protocol_draws(session, pictures):
    app = make_app(session, pictures)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot)
        await pilot.resize_terminal(90, 30)
        await settle(pilot)
        shown = page.query_one("#photograph", Picture)
        assert shown._image is None if pictures == "off" else shown._image.display


async def test_no_column_of_words_where_none_are_known(session):
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        session.knows_words = lambda: False
        await pilot.press("enter")
        await settle(pilot)
        table = app.screen.query_one("#members", Table)
        assert [c.key for c in table.columns] == ["rank", "time", "distance", "id"]
        assert [cell[0] for cell in app.screen.members.cells(0)][-1] == app.screen.current().id
        del session.knows_words
        await pilot.press("full_stop")
        await settle(pilot)
        assert ("label" in [c.key for c in table.columns]) == session.knows_words()
