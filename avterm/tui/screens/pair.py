"""A pair as in Figure 1: the picture with all its boxes, the caption with all its segments, in matching colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from PIL import Image
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from avterm import units
from avterm.errors import printable
from avterm.tui.drawing import Box, Mark, colour, photograph
from avterm.tui.keys import bindings
from avterm.tui.media import Seen, look_at, spoken
from avterm.tui.messages import OpenCluster, OpenSearch
from avterm.tui.player import clip_path, cut, write_wav
from avterm.tui.screens.page import SoundPage
from avterm.tui.session import LETTER, Member, Session
from avterm.tui.widgets.keybar import KeyBar
from avterm.tui.widgets.picture import Picture
from avterm.tui.widgets.spectrogram import Spectrogram
from avterm.tui.widgets.table import Cell, Column, Table

COLUMNS = (
    Column("mark", "", 2),
    Column("time", "Seconds", 11, right=True),
    Column("score", "Score", 5, right=True),
    Column("words", "Words", 7, stretch=True),
    Column("speech", "Segment of", 9, stretch=True),
    Column("image", "Crop", 5),
)


class PairPage(SoundPage):
    """All groundings of a pair."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("pair")

    def __init__(self, session: Session, protocol: str, row: int) -> None:
        """`row`: the grounding to begin with."""
        super().__init__(session)
        self.protocol, self.row = protocol, row
        self.groundings: list[Member] = []
        self.clusters: list[tuple[int, int]] = []
        self._seen: Seen | None = None

    def compose(self) -> ComposeResult:
        """Picture and groundings above, caption below."""
        yield Static(id="title", markup=False)
        with Horizontal(id="pair"):
            yield Picture(self.protocol, id="photograph")
            table = Table(COLUMNS, id="groundings", empty="reading …")
            table.can_focus = False  # its arrows are the screen's
            yield table
        yield Spectrogram(self.protocol, id="spectrogram")
        yield Static(id="caption", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Read the pair."""
        self.query_one("#title", Static).update(" reading …")
        self.run_worker(self._read(), group="pair", exclusive=True)

    async def _read(self) -> None:
        def work() -> tuple[list[Member], int, list[tuple[int, int]], Seen]:
            listed, at = self.session.pair_members(self.row)
            found = [(self.session.home("speech", m.row), self.session.home("image", m.row)) for m in listed]
            return listed, at, found, look_at(self.session.media, listed[at].id)

        ready = await self.aside(work)
        if ready is None:
            return
        self.groundings, at, self.clusters, self._seen = ready
        self.query_one("#groundings", Table).fill(len(self.groundings), self._cells, at)
        self._title()
        self._draw()

    def current(self) -> Member | None:
        """The grounding under the cursor."""
        return self.groundings[self._at] if self.groundings else None

    @property
    def _at(self) -> int:
        return self.query_one("#groundings", Table).cursor

    def refresh_decisions(self) -> None:
        """Clusters may have got names."""
        self.query_one("#groundings", Table).refresh()

    def _cells(self, number: int) -> Sequence[Cell]:
        member, (speech, image) = self.groundings[number], self.clusters[number]
        tint = colour(number)
        time = f"{units.seconds_in(member.start):.2f}–{units.seconds_in(member.end):.2f}"
        name = self.session.name("speech", speech)
        return [
            ("●", tint), time, f"{member.score:.2f}", (member.label or self._words(member), tint),
            f"{LETTER['speech']}{speech} {name}", f"{LETTER['image']}{image}",
        ]  # fmt: skip

    def _words(self, member: Member) -> str:
        return spoken(self._seen.words, member.start, member.end) or "" if self._seen is not None else ""

    def _title(self) -> None:
        member = self.current()
        if member is None or self._seen is None:
            return
        pair = self._seen.pair
        text = Text.assemble(f" {printable(member.id[:80])}", style="bold")
        if pair is not None:
            facts = [f for f in (pair.speaker, pair.language, pair.split) if f]
            text.append(f"  {printable(', '.join(facts)[:80])}", "not bold")
        many = len(self.groundings)
        text.append(f"  grounding {self._at + 1} of {many}", "not bold dim")
        self.query_one("#title", Static).update(text)
        spoken = pair.text if pair is not None and pair.text else ""
        self.query_one("#caption", Static).update(Text(f" {printable(spoken[:500])}", "italic"))

    @on(Table.Moved, "#groundings")
    def moved(self) -> None:
        """Another grounding."""
        self._title()
        self._draw()

    @on(Table.Chosen, "#groundings")
    def chosen(self) -> None:
        """A double click plays."""
        self.action_play()

    def _draw(self) -> None:
        seen = self._seen
        if seen is None or not self.groundings:
            return
        at = self._at
        marks = [Mark(m.start, m.end, colour(i), i == at) for i, m in enumerate(self.groundings)]
        boxes = [Box(m.box, colour(i), i == at) for i, m in enumerate(self.groundings)]
        frames = self.groundings[at].frames
        self.query_one("#spectrogram", Spectrogram).show(seen.mel, frames, seen.words, marks, seen.no_mel)
        view = self.query_one("#photograph", Picture)
        if seen.picture is None:
            view.say(seen.no_picture)
        else:
            view.show(partial(_photograph, seen.picture, boxes), "picture (pictures are off)")

    def action_step(self, step: int) -> None:
        """The grounding before or after."""
        self.query_one("#groundings", Table).action_move(step)

    def action_cluster(self, modality: str) -> None:
        """Open a cluster of the grounding."""
        if self.groundings:
            speech, image = self.clusters[self._at]
            self.post_message(OpenCluster(modality, speech if modality == "speech" else image))

    def action_similar(self, kind: str) -> None:
        """Search with the segment or the picture."""
        if (member := self.current()) is not None:
            self.run_worker(self._similar(member, kind), group="similar", exclusive=True)

    async def _similar(self, member: Member, kind: str) -> None:
        media = self.session.media
        if kind == "picture":
            pair = await self.aside(media.pair, member.id)
            if pair is not None:
                self.post_message(OpenSearch(media.folder / pair.image, kind))
            return
        path = clip_path(self.session.clips, member.id, member.start, member.end)

        def work() -> bool:
            write_wav(path, cut(media.sound(member.id), member.start, member.end))
            return True

        if await self.aside(work):
            self.post_message(OpenSearch(path, kind))


def _photograph(picture: np.ndarray, boxes: Sequence[Box], size: tuple[int, int], ratio: float) -> Image.Image:
    return photograph(picture, size, boxes, ratio)
