"""Search: record, give a file or pick a picture, and see the nearest clusters and captions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.suggester import Suggester
from textual.widgets import Input, Static

from avterm import units
from avterm.errors import BadInput, printable
from avterm.tui.keys import bindings
from avterm.tui.messages import OpenCluster, OpenPair
from avterm.tui.player import write_wav
from avterm.tui.screens.page import Page
from avterm.tui.searcher import DISTANCE, Hit, kind_of
from avterm.tui.session import LETTER, Member, Session
from avterm.tui.widgets.entry import Entry
from avterm.tui.widgets.keybar import KeyBar
from avterm.tui.widgets.table import Cell, Column, Table

COLUMNS = (
    Column("rank", "#", 4, right=True),
    Column("kind", "Kind", 8),
    Column("id", "Which", 16, stretch=True),
    Column("distance", "Distance", 8, right=True),  # less is nearer; hits have one of the two
    Column("similarity", "Similarity", 10, right=True),  # more is nearer
    Column("text", "Name, words", 16, stretch=True),
)
UNWIRED = "no searcher: this run has no model that could embed a sound or a picture"


class SearchPage(Page):
    """What is near to something new."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("search")

    def __init__(self, session: Session, path: Path | None = None, kind: str = "sound") -> None:
        super().__init__(session)
        self.path, self.kind = path, kind
        self.recording = False
        self.hits: Sequence[Hit] = ()

    def compose(self) -> ComposeResult:
        """A path, what is going on, the hits."""
        yield Static(Text.assemble((" Search", "bold"), "  by a sound or a picture"), id="title", markup=False)
        yield Entry(placeholder="path of a sound or a picture", id="path", suggester=Paths())
        yield Static("", id="status", markup=False)
        yield Table(COLUMNS, id="hits", empty="record, or give the path of a sound or a picture")
        yield KeyBar()

    def on_mount(self) -> None:
        """Search at once, if it was opened with something."""
        if self.session.searcher is None:
            self._say(UNWIRED)
        if self.path is not None:
            self.query_one("#path", Input).value = str(self.path)
            self.query_one("#hits").focus()
            self.begin(self.path, self.kind)
        else:
            self.query_one("#path").focus()

    @on(Input.Submitted, "#path")
    def given(self, event: Input.Submitted) -> None:
        """Enter in the path."""
        if not event.value.strip():
            return
        path = Path(event.value.strip()).expanduser()
        kind = kind_of(path)
        if kind is None:
            self._say(f"{path}: expected a sound or a picture by its ending, as in .wav or .jpg")
            return
        self.begin(path, kind)

    def begin(self, path: Path, kind: str) -> None:
        """Search with a file."""
        self.run_worker(self._search(path, kind), group="search", exclusive=True)

    async def _search(self, path: Path, kind: str) -> None:
        if self.session.searcher is None:
            self._say(UNWIRED)
            return
        doing = "searching" if self.session.searched else "loading the model, then searching"
        self._say(f"{doing} with {path.name} …")

        def work() -> Sequence[Hit]:
            if not path.is_file():
                raise BadInput(f"{path}: no such file")
            searcher = self.session.find()
            return searcher.by_sound(path) if kind == "sound" else searcher.by_picture(path)

        hits = await self.aside(work)
        if hits is None:
            self._say("nothing was found")
            return
        self.hits = hits
        self._say(f"nearest to {path.name}")
        table = self.query_one("#hits", Table)
        table.fill(len(hits), self._cells, 0)
        table.focus()

    def _cells(self, number: int) -> Sequence[Cell]:
        hit = self.hits[number]
        which, text = hit.id, hit.text
        if hit.kind == "cluster":
            which = f"{LETTER.get(hit.modality, '?')}{hit.id}"
            text = text or (self.session.name(hit.modality, int(hit.id)) if self._cluster(hit) is not None else "")
        near = f"{hit.value:.3f}"
        values = (near, "") if hit.measure == DISTANCE else ("", near)
        return [str(number + 1), hit.kind, which, *values, text]

    def _cluster(self, hit: Hit) -> int | None:
        good = hit.kind == "cluster" and hit.modality in LETTER and hit.id.isdigit()
        return int(hit.id) if good and int(hit.id) < len(self.session.side(hit.modality)) else None

    @on(Table.Chosen, "#hits")
    def open(self, event: Table.Chosen) -> None:
        """Enter on a hit."""
        hit = self.hits[event.row]
        cluster = self._cluster(hit)
        if cluster is not None:
            self.post_message(OpenCluster(hit.modality, cluster))
        else:
            self.run_worker(self._open_pair(hit), group="open", exclusive=True)

    async def _open_pair(self, hit: Hit) -> None:
        member = await self.aside(self.session.first_of_pair, hit.id)
        if member is not None:
            self.post_message(OpenPair(member.row))

    def action_path(self) -> None:
        """Type a path."""
        self.query_one("#path").focus()

    def action_play(self) -> None:
        """Play the hit: the cluster's most central segment, or the caption."""
        if self.hits:
            self.run_worker(
                self._play_hit(self.hits[self.query_one("#hits", Table).cursor]), group="hit", exclusive=True
            )

    async def _play_hit(self, hit: Hit) -> None:
        member = await self.aside(self._heard, hit)
        if member is not None:
            self.play(member, whole=self._cluster(hit) is None)

    def _heard(self, hit: Hit) -> Member:
        """Blocks. What is heard of a hit: the cluster's most central segment, or the caption."""
        cluster = self._cluster(hit)
        return self.session.whole(hit.id) if cluster is None else self.session.central(hit.modality, cluster)

    def action_write(self) -> None:
        """Write what is heard of the hit to a WAV file."""
        if self.hits:
            hit = self.hits[self.query_one("#hits", Table).cursor]
            self.run_worker(self._write(partial(self._heard, hit), whole=self._cluster(hit) is None), group="write")

    def action_record(self) -> None:
        """Start recording, or stop and search."""
        self.run_worker(self._stop() if self.recording else self._record(), group="record", exclusive=True)

    async def _record(self) -> None:
        self.action_stop()
        self._say("opening the microphone …")
        error = await self.aside(lambda: self.session.recorder().start() or "")
        if error is None or error:
            self._say(error or "no microphone here; give the path of a sound file instead")
            return
        self.recording = True
        self._say("recording; the same key again stops")

    async def _stop(self) -> None:
        self.recording = False
        path = self.session.clips / "recorded.wav"

        def work() -> float:
            samples = self.session.recorder().stop()
            if len(samples) < units.samples_in(0.1):
                raise BadInput("the recording is empty; is the microphone muted?")
            write_wav(path, samples)
            return len(samples) / units.SAMPLE_RATE

        seconds = await self.aside(work)
        if seconds is None:
            self._say("nothing was recorded")
            return
        self._say(f"recorded {seconds:.1f} s")
        await self._search(path, "sound")

    async def on_unmount(self) -> None:
        """Leaving ends a recording."""
        if self.recording:
            await asyncio.to_thread(self.session.recorder().stop)

    def _say(self, text: str) -> None:
        self.query_one("#status", Static).update(Text(f" {printable(text[:300])}"))


class Paths(Suggester):
    """Completes a path as it is typed."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first sound, picture or folder whose name begins so."""
        return await asyncio.to_thread(complete, value) if value else None


def complete(value: str) -> str | None:
    """`value` extended to the first sound, picture or folder, by name, that begins with it."""
    folder, begin = os.path.split(value)
    try:
        with os.scandir(Path(folder or ".").expanduser()) as entries:
            names = sorted(
                e.name + ("/" if e.is_dir() else "")
                for e in entries
                if e.name.startswith(begin)
                and (not e.name.startswith(".") or begin.startswith("."))
                and (e.is_dir() or kind_of(Path(e.name)))
                and e.name.isprintable()
            )
    except OSError:
        return None
    return os.path.join(folder, names[0]) if names else None
