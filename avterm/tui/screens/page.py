"""What the screens have in common: work off the event loop, sound, and decisions about a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from avterm.errors import AvtermError, printable
from avterm.store.journal import Edit
from avterm.tui.keys import bindings, shown
from avterm.tui.player import SPEEDS, clip_path, cut, stretched, write_wav
from avterm.tui.screens.prompts import MergePrompt, TextPrompt
from avterm.tui.session import LETTER, Member, Session, described

Value = TypeVar("Value")
GAP = 0.15  # seconds of silence between members in play-through


class SoundEnded(Message):
    """A sound is over; `error` says why it could not be heard."""

    def __init__(self, token: int, error: str | None) -> None:
        super().__init__()
        self.token, self.error = token, error


class Page(Screen[None]):
    """A screen on the shared session."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._token = 0

    def tell(self, message: str, wrong: bool = False) -> None:
        """One line that fades."""
        self.app.notify(printable(message[:500]), severity="warning" if wrong else "information", markup=False)

    async def aside(self, work: Callable[..., Value], *arguments: Any) -> Value | None:
        """The result of blocking work, done in a thread; None, and a line on screen, where it fails."""
        try:
            return await asyncio.to_thread(work, *arguments)
        except (AvtermError, OSError) as error:
            self.tell(str(error), wrong=True)
            return None

    def refresh_decisions(self) -> None:
        """Curation has changed: show it."""

    def play(self, member: Member, whole: bool = False) -> None:
        """Play a segment, or its whole caption, at the speed and loop that are set."""
        self.run_worker(self._play(member, whole), group="sound", exclusive=True)

    async def _play(self, member: Member, whole: bool) -> None:
        self._token += 1
        token = self._token
        speed, loop = SPEEDS[self.session.speed], self.loops()

        def prepare() -> tuple[Any, np.ndarray]:
            samples = self.session.media.sound(member.id)
            part = samples if whole else cut(samples, member.start, member.end)
            return self.session.player(), stretched(part, speed)

        ready = await self.aside(prepare)
        if ready is None:
            self.sound_ended("not heard")
            return
        player, samples = ready
        if token == self._token:
            player.play(samples, loop, lambda error: self.post_message(SoundEnded(token, error)) and None)

    def on_sound_ended(self, message: SoundEnded) -> None:
        """Say why nothing was heard; sounds that were cut off by another do not count."""
        if message.token != self._token:
            return
        if message.error:
            self.tell(message.error.replace("{key}", self._write_key()), wrong=True)
        self.sound_ended(message.error)

    def sound_ended(self, error: str | None) -> None:
        """A sound is over, or could not be played."""

    def loops(self) -> bool:
        """Whether sounds repeat here: only where a key turns that off."""
        return False

    def _write_key(self) -> str:
        """The key of this screen that writes what cannot be heard, as it is set now."""
        return next((shown(a.binding.key) for a in self.active_bindings.values() if a.binding.action == "write"), "w")

    async def _write(self, read: Callable[[], Member], whole: bool = False) -> None:
        """Write a segment, or a whole caption, to a WAV file in the run; `read` gives it, and may block."""

        def work() -> Path:
            member = read()
            samples = self.session.media.sound(member.id)
            path = clip_path(self.session.clips, member.id, member.start, member.end)
            write_wav(path, samples if whole else cut(samples, member.start, member.end))
            return path

        if (path := await self.aside(work)) is not None:
            self.tell(f"written: {path}")

    def action_stop(self) -> None:
        """Silence."""
        self._token += 1
        self.workers.cancel_group(self, "sound")
        self.session.hush()


class SoundPage(Page):
    """A screen with a segment under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("sound")

    def current(self) -> Member | None:
        """The segment under the cursor."""
        raise NotImplementedError

    def action_play(self) -> None:
        """Play the segment."""
        if (member := self.current()) is not None:
            self.play(member)

    def action_caption(self) -> None:
        """Play the whole caption."""
        if (member := self.current()) is not None:
            self.play(member, whole=True)

    def loops(self) -> bool:
        """As it is set."""
        return self.session.loop

    def action_loop(self) -> None:
        """Repeat, or not."""
        self.session.loop = not self.session.loop
        self.tell("loop on" if self.session.loop else "loop off")
        if not self.session.loop:
            self.action_stop()
        self.sound_settings()

    def action_speed(self, step: int) -> None:
        """Slower or faster."""
        self.session.speed = min(max(self.session.speed + step, 0), len(SPEEDS) - 1)
        self.tell(f"speed ×{SPEEDS[self.session.speed]:g}")
        self.sound_settings()

    def sound_settings(self) -> None:
        """Speed or loop have changed: show them."""

    def action_write(self) -> None:
        """Write the segment to a WAV file."""
        if (member := self.current()) is not None:
            self.run_worker(self._write(lambda: member), group="write")


class CuratePage(Page):
    """A screen with a cluster under the cursor, about which decisions are made."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("curate")

    def subject(self) -> tuple[str, int] | None:
        """Modality and number of the cluster under the cursor."""
        raise NotImplementedError

    def decide(self, modality: str, kind: str, cluster: int, **values: Any) -> None:
        """Keep a decision, in the order of the keys pressed, then show it everywhere."""
        self.run_worker(
            self._write_down(lambda: self.session.decide(modality, kind, cluster, **values)), group="decide"
        )

    async def _write_down(self, work: Callable[[], Edit | None]) -> Edit | None:
        loop = asyncio.get_running_loop()
        try:
            edit = await loop.run_in_executor(self.session.writer, work)
        except (AvtermError, OSError) as error:
            self.tell(f"not kept: {error}", wrong=True)
            return None
        for screen in self.app.screen_stack:
            if isinstance(screen, Page):
                screen.refresh_decisions()
        return edit

    def action_state(self, state: str) -> None:
        """Accept or reject; again: back to new."""
        if (subject := self.subject()) is not None:
            curation = self.session.curation.get(subject[0])
            now = curation.state(subject[1]) if curation else "new"
            self.decide(subject[0], "state", subject[1], value="new" if now == state else state)

    def action_name(self) -> None:
        """Ask for the cluster's name."""
        self._ask("name", "Name of")

    def action_note(self) -> None:
        """Ask for a note on the cluster."""
        self._ask("note", "Note on")

    def _ask(self, kind: str, title: str) -> None:
        subject = self.subject()
        if subject is None:
            return
        modality, cluster = subject
        curation = self.session.curation.get(modality)
        before = (getattr(curation, kind)(cluster) if curation else None) or ""

        def answer(text: str | None) -> None:
            if text is not None and text.strip() != before:
                self.decide(modality, kind, cluster, value=text.strip())

        self.app.push_screen(TextPrompt(f"{title} {LETTER[modality]}{cluster}", before), answer)

    def action_merge(self) -> None:
        """Ask which cluster to merge into; a merged cluster is taken out again."""
        subject = self.subject()
        if subject is None:
            return
        modality, cluster = subject
        curation = self.session.curation.get(modality)
        if curation is not None and curation.merged_into(cluster) is not None:
            self.decide(modality, "merge", cluster)
            return

        def answer(into: int | None) -> None:
            if into is None:
                return
            now = self.session.curation.get(modality)
            if into == cluster or (now is not None and now.merged_into(into) == cluster):
                self.tell(f"{into} is part of {cluster} already", wrong=True)
            else:
                self.decide(modality, "merge", cluster, into=into)

        self.app.push_screen(MergePrompt(self.session, modality, cluster), answer)

    def action_undo(self) -> None:
        """Take back the last decision."""
        self.run_worker(self._again(self.session.undo, "undone", "nothing to undo"), group="decide")

    def action_redo(self) -> None:
        """Bring it back."""
        self.run_worker(self._again(self.session.redo, "redone", "nothing to redo"), group="decide")

    async def _again(self, work: Callable[[], Edit | None], done: str, nothing: str) -> None:
        edit = await self._write_down(work)
        self.tell(f"{done}: {described(edit)}" if edit is not None else nothing)


class ClusterListPage(CuratePage):
    """A screen that shows clusters to choose from, and lets the one under the cursor be heard."""

    def action_play(self) -> None:
        """Play the most central segment of the cluster."""
        if (subject := self.subject()) is not None:
            self.run_worker(self._central(*subject), group="central", exclusive=True)

    async def _central(self, modality: str, cluster: int) -> None:
        member = await self.aside(self.session.central, modality, cluster)
        if member is not None:
            self.play(member)

    def action_write(self) -> None:
        """Write the most central segment of the cluster to a WAV file."""
        if (subject := self.subject()) is not None:
            self.run_worker(self._write(partial(self.session.central, *subject)), group="write")
