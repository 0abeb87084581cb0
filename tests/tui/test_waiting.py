"""No key waits for the disk, for sound or for the model."""

from __future__ import annotations

import threading

import pytest

from avterm.retrieval.hits import Hit
from avterm.tui.media import Readers
from avterm.tui.screens.clusters import ClustersPage
from avterm.tui.widgets.table import Table
from tests.tui.support import fake_audio, fake_mel, fake_picture, make_app, make_session, settle


class Slow:
    """Readers that do not come back before `go` is set, and count who waits."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.waiting: list[str] = []

    def reader(self, name, read):
        def slow(given):
            self.waiting.append(name)
            if not self.go.wait(60):
                raise OSError(f"{name}: nobody let it go")
            return read(given)

        return slow


@pytest.fixture
def slow():
    waiting = Slow()
    yield waiting
    waiting.go.set()


async def until(pilot, there):
    """Let the loop run until `there()`."""
    for _ in range(2000):
        if there():
            return
        await pilot.pause(0.01)
    raise AssertionError("never")


async def test_keys_move_while_sounds_and_pictures_are_read(tmp_path, slow):
    readers = Readers(slow.reader("audio", fake_audio), slow.reader("mel", fake_mel),
                      slow.reader("picture", fake_picture))  # fmt: skip
    session = make_session(tmp_path, readers=readers)
    app = make_app(session)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "audio" in slow.waiting)
        table = app.screen.query_one("#members", Table)
        before = table.cursor
        await pilot.press("down", "down", "space", "c", "w")
        assert table.cursor == before + 2
        assert not slow.go.is_set()
        await pilot.press("a")
        await until(pilot, lambda: session.curation["speech"].state(app.screen.cluster) == "accepted")
        await pilot.press("escape")
        assert isinstance(app.screen, ClustersPage)
        assert session.fake.played == []
        slow.go.set()
        await settle(pilot)


async def test_keys_move_while_the_model_loads(tmp_path, slow):
    class Finder:
        def by_sound(self, path):
            slow.reader("search", lambda p: p)(path)
            return [Hit("cluster", "3", -0.25, measure="distance"), Hit("pair", "pair 4", 0.75)]

        def by_picture(self, path):
            return []

        def close(self):
            slow.go.set()

    session = make_session(tmp_path, searcher=Finder)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    app = make_app(session)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        app.screen.query_one("#path").value = str(tmp_path / "a.wav")
        await pilot.press("enter")
        await until(pilot, lambda: slow.waiting)
        assert "loading the model" in str(app.screen.query_one("#status").render())
        await pilot.press("x", "y")
        assert app.screen.query_one("#path").value.endswith("xy")
        assert not slow.go.is_set()
        slow.go.set()
        await settle(pilot)
        lines = ["".join(s.text for s in app.screen.query_one("#hits", Table).render_line(y)) for y in range(3)]
        assert "Distance" in lines[0]
        assert "Similarity" in lines[0]
        assert lines[1].index("0.250") < lines[0].index("Similarity") < lines[2].index("0.750") + 5
        assert "-" not in lines[1]
