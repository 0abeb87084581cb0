"""A cluster: its members from the centre outwards, what the one under the cursor sounds and looks like, and kin."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from avterm import units
from avterm.errors import printable
from avterm.tui.drawing import Box, Mark, colour, crop, photograph, sheet
from avterm.tui.keys import bindings
from avterm.tui.media import Seen, look_at
from avterm.tui.members import COLUMNS, Members
from avterm.tui.messages import OpenCluster, OpenPair, OpenSearch
from avterm.tui.player import SPEEDS, clip_path, cut, write_wav
from avterm.tui.rows import GLYPHS
from avterm.tui.screens.page import GAP, CuratePage, SoundPage
from avterm.tui.session import LETTER, OTHER, Member, Session
from avterm.tui.widgets.keybar import KeyBar
from avterm.tui.widgets.picture import Picture
from avterm.tui.widgets.spectrogram import Spectrogram
from avterm.tui.widgets.table import Cell, Column, Table

SETTLE = 0.04  # seconds that the cursor must rest before pictures are read
AHEAD = 40  # members read beyond the window
BLOCK = 8  # members read before the table shows them

KIN = (
    Column("cluster", "#", 6),
    Column("value", "Affinity", 9, right=True),
    Column("size", "Size", 7, right=True),
    Column("name", "Name", 6, stretch=True),
)


class ClusterPage(CuratePage, SoundPage):
    """One cluster of segments or of crops."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("cluster")

    def __init__(self, session: Session, protocol: str, modality: str, cluster: int) -> None:
        super().__init__(session)
        self.protocol, self.modality, self.cluster = protocol, modality, cluster
        self.members: Members | None = None
        self.through = False
        self._linked: list[tuple[int, float]] = []
        self._nearest: list[tuple[int, float]] = []

    def compose(self) -> ComposeResult:
        """Members at the left; sound, picture and kin at the right."""
        yield Static(id="title", markup=False)
        with Horizontal(id="cluster"):
            yield Table(COLUMNS, id="members", empty="reading …")
            with Vertical(id="member"):
                yield Static(id="facts", markup=False)
                yield Spectrogram(self.protocol, id="spectrogram")
                yield Picture(self.protocol, id="photograph")
            with Vertical(id="kin"):
                yield Static("linked", id="linked-title", markup=False)
                yield Table(KIN, id="linked", empty="no linked cluster")
                yield Picture(self.protocol, id="crops")
                yield Static("nearest", id="nearest-title", markup=False)
                nearest = [KIN[0], Column("value", "Distance", 9, right=True), *KIN[2:]]
                yield Table(nearest, id="nearest", empty="no other cluster")
        yield KeyBar()

    def on_mount(self) -> None:
        """Read the cluster."""
        self.query_one("#members").focus()
        self.turn_to(self.cluster)

    def turn_to(self, cluster: int) -> None:
        """Show another cluster of the same modality."""
        self.cluster = cluster
        self.members = None
        self._title()
        self.query_one("#members", Table).fill(0, lambda n: (), 0)
        self.run_worker(self._read(0), group="cluster", exclusive=True)

    async def _read(self, cursor: int) -> None:
        members = await self.aside(Members, self.session, self.modality, self.cluster)
        if members is None:
            return
        self.members = members
        table = self.query_one("#members", Table)
        table.columns = members.columns
        table.empty = "this cluster has no members"
        table.fill(len(members), members.cells, cursor)
        self._title()
        self._look()
        kin = await self.aside(
            lambda: (
                self.session.linked(self.modality, self.cluster),
                self.session.nearest(self.modality, self.cluster),
            )
        )
        if kin is not None:
            self._linked, self._nearest = kin
            self._show_kin()

    def _show_kin(self) -> None:
        other = OTHER[self.modality]
        self.query_one("#linked-title", Static).update(f"linked {'crops' if other == 'image' else 'segments'}")
        self.query_one("#linked", Table).fill(len(self._linked), partial(self._kin, other, self._linked), 0)
        self.query_one("#nearest", Table).fill(len(self._nearest), partial(self._kin, self.modality, self._nearest), 0)
        self._show_crops()

    def _kin(self, modality: str, listed: Sequence[tuple[int, float]], number: int) -> Sequence[Cell]:
        cluster, value = listed[number]
        curation = self.session.curation.get(modality)
        mark = GLYPHS[curation.state(cluster)] if curation else ""
        size = f"{int(self.session.side(modality).size[cluster]):,}"
        name = self.session.name(modality, cluster)
        return [f"{LETTER[modality]}{cluster}", f"{value:.4g}", size, f"{mark} {name}"]

    def refresh_decisions(self) -> None:
        """Names and states have changed, and perhaps the members."""
        self._title()
        for table in self.query(Table):
            table.refresh()
        if self.members is not None:
            self.run_worker(self._reread(self.members), group="reread", exclusive=True)

    async def _reread(self, before: Members) -> None:
        rows = await self.aside(self.session.member_rows, self.modality, self.cluster)
        if rows is not None and before is self.members and not np.array_equal(rows, before.rows):
            self.run_worker(self._read(self.query_one("#members", Table).cursor), group="cluster", exclusive=True)

    def subject(self) -> tuple[str, int]:
        """This cluster."""
        return self.modality, self.cluster

    def current(self) -> Member | None:
        """The member under the cursor, once it has been read."""
        return None if self.members is None else self.members.get(self.query_one("#members", Table).cursor)

    def sound_settings(self) -> None:
        """Speed and loop stand in the title."""
        self._title()

    def _title(self) -> None:
        session, side = self.session, self.session.side(self.modality)
        curation = session.curation.get(self.modality)
        state = curation.state(self.cluster) if curation else "new"
        name = printable(session.name(self.modality, self.cluster)[:60])
        text = Text.assemble((f" {LETTER[self.modality]}{self.cluster}", "bold"), f" {GLYPHS[state]} ", (name, "bold"))
        text.append(f"  {int(side.size[self.cluster]):,} members, variance {side.variance[self.cluster]:.3f}", "dim")
        if curation is not None and (into := curation.merged_into(self.cluster)) is not None:
            text.append(f", merged into {into}", "magenta")
        if curation is not None and (merged := curation.merged(self.cluster)):
            text.append(f", with {', '.join(map(str, merged[:6]))}", "magenta")
        if session.speed != SPEEDS.index(1.0):
            text.append(f"  ×{SPEEDS[session.speed]:g}", "yellow")
        text.append("  loop" if session.loop else "", "yellow")
        text.append("  playing through" if self.through else "", "yellow")
        if curation is not None and (note := curation.note(self.cluster)):
            text.append(f"  ✎ {printable(note[:200])}", "italic")
        self.query_one("#title", Static).update(text, layout=False)

    @on(Table.Moved, "#members")
    def moved(self) -> None:
        """Another member is under the cursor."""
        self._look()

    @on(Table.Chosen, "#members")
    def chosen(self) -> None:
        """Enter on a member plays it."""
        self.action_play()

    @on(Table.Moved, "#linked")
    def linked_moved(self) -> None:
        """The crops of another linked cluster."""
        self._show_crops()

    @on(Table.Chosen, "#linked")
    def open_linked(self, event: Table.Chosen) -> None:
        """Open a linked cluster."""
        self.post_message(OpenCluster(OTHER[self.modality], self._linked[event.row][0]))

    @on(Table.Chosen, "#nearest")
    def open_nearest(self, event: Table.Chosen) -> None:
        """Open a near cluster."""
        self.post_message(OpenCluster(self.modality, self._nearest[event.row][0]))

    def _look(self) -> None:
        if self.members is not None and len(self.members):
            self.run_worker(self._show_member(self.members), group="look", exclusive=True)
        else:
            self.query_one("#spectrogram", Spectrogram).say("")
            self.query_one("#photograph", Picture).say("")
            self.query_one("#facts", Static).update("")

    async def _show_member(self, members: Members) -> None:
        table = self.query_one("#members", Table)
        number = table.cursor
        member = members.get(number)
        if member is None:
            member = await self.aside(members.fetch, number)
            table.refresh()
        if member is None or members is not self.members:
            return
        await asyncio.sleep(SETTLE)
        self._hand_over(member, await asyncio.to_thread(look_at, self.session.media, member.id))
        window = table.visible_rows()
        near = range(max(window.start - AHEAD, 0), window.stop + AHEAD)
        missing = [*members.missing(window), *(n for n in members.missing(near) if n not in window)]
        for at in range(0, len(missing), BLOCK):
            await self.aside(members.fetch_all, missing[at : at + BLOCK])
            if at < len(window):
                table.refresh()

    def _hand_over(self, member: Member, seen: Seen) -> None:
        mark = Mark(member.start, member.end, colour(0))
        facts = Text(f"{units.seconds_in(member.start):.2f}–{units.seconds_in(member.end):.2f} s", mark.colour)
        if member.label:
            facts.append(f"  “{printable(member.label[:60])}”")
        facts.append(f"  {printable(member.id[:80])}", "bold default")
        if seen.pair is not None and seen.pair.speaker:
            facts.append(f"  {printable(seen.pair.speaker[:30])}")
        facts.append(f"  score {member.score:.3g}, silence {member.silence:.0%}", "dim")
        self.query_one("#facts", Static).update(facts, layout=False)
        self.query_one("#spectrogram", Spectrogram).show(seen.mel, member.frames, seen.words, [mark], seen.no_mel)
        view = self.query_one("#photograph", Picture)
        if seen.picture is None:
            view.say(seen.no_picture)
        else:
            view.show(partial(_photograph, seen.picture, member), "picture (pictures are off)")

    def _show_crops(self) -> None:
        if self._linked:
            at = min(self.query_one("#linked", Table).cursor, len(self._linked) - 1)
            self.run_worker(self._crops(self._linked[at][0]), group="crops", exclusive=True)
        else:
            self.query_one("#crops", Picture).say("")

    async def _crops(self, cluster: int) -> None:
        await asyncio.sleep(SETTLE)
        found = await self.aside(self.session.crops, OTHER[self.modality], cluster)
        if found is None:
            return
        tiles = [crop(picture, member.box) for picture, member in found]
        view = self.query_one("#crops", Picture)
        if tiles:
            view.show(lambda size, ratio: sheet(tiles, size, ratio), f"{len(tiles)} crops (pictures are off)")
        else:
            view.say("no picture of these crops can be read")

    def action_play(self) -> None:
        """Play the segment; ends playing through."""
        self.through = False
        self._title()
        super().action_play()

    def action_stop(self) -> None:
        """Silence, and no more playing through."""
        self.through = False
        self._title()
        super().action_stop()

    def action_through(self) -> None:
        """Play one member after the other from the cursor on; again: stop."""
        if self.through:
            self.action_stop()
            return
        self.through = True
        self._title()
        self.run_worker(self._play_row(self.query_one("#members", Table).cursor), group="through", exclusive=True)

    async def _play_row(self, number: int) -> None:
        members = self.members
        while members is not None and number < len(members) and members.is_split(number):
            number += 1
        if members is None or number >= len(members):
            self.through = False
            self._title()
            return
        self.query_one("#members", Table).cursor = number
        member = await self.aside(members.fetch, number)
        if member is not None and self.through:
            self.play(member)

    def sound_ended(self, error: str | None) -> None:
        """On to the next member while playing through; a member that cannot be heard is passed over."""
        if not self.through:
            return
        if error and error != "not heard":
            self.through = False
            self._title()
            return
        following = self.query_one("#members", Table).cursor + 1
        self.set_timer(GAP, lambda: self._go_on(following))

    def _go_on(self, number: int) -> None:
        if self.through:
            self.run_worker(self._play_row(number), group="through", exclusive=True)

    def action_pair(self) -> None:
        """Open the pair."""
        if (member := self.current()) is not None:
            self.post_message(OpenPair(member.row))

    def action_split(self) -> None:
        """Split the member off, or put it back."""
        if self.members is None or (member := self.current()) is None:
            return
        number = self.query_one("#members", Table).cursor
        kind = "restore" if self.members.is_split(number) else "split"
        self.run_worker(self._split(kind, member.row), group="split")

    async def _split(self, kind: str, row: int) -> None:
        home = await self.aside(self.session.home, self.modality, row)
        if home is not None:
            self.decide(self.modality, kind, home, member=row)

    def action_step(self, step: int) -> None:
        """The cluster before or after, in the table's order."""
        order = self.session.order if self.cluster in self.session.order else sorted(self._everything())
        at = order.index(self.cluster) + step
        if 0 <= at < len(order):
            self.action_stop()
            self.turn_to(order[at])

    def _everything(self) -> range:
        return range(len(self.session.side(self.modality)))

    def action_links(self) -> None:
        """In small windows: kin in place of the member, or back."""
        self.toggle_class("-kin")
        self.query_one("#linked" if self.has_class("-kin") else "#members").focus()

    def action_similar(self) -> None:
        """Search with the segment."""
        if (member := self.current()) is not None:
            self.run_worker(self._similar(member), group="similar", exclusive=True)

    async def _similar(self, member: Member) -> None:
        path = clip_path(self.session.clips, member.id, member.start, member.end)

        def work() -> bool:
            write_wav(path, cut(self.session.media.sound(member.id), member.start, member.end))
            return True

        if await self.aside(work):
            self.post_message(OpenSearch(path, "sound"))


def _photograph(picture: np.ndarray, member: Member, size: tuple[int, int], ratio: float) -> Any:
    return photograph(picture, size, [Box(member.box, colour(0))], ratio)
