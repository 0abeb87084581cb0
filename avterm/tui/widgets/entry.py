"""A line of text that keeps the order of keys that come faster than the screen can follow."""

from __future__ import annotations

from textual import events
from textual.widgets import Input


class Entry(Input):
    """An input whose enter takes the text as it stands.

    Textual runs enter once it has gone up through every container to the app; letters that came after it are in the
    text by then, as happens when a busy machine or a slow line delivers several keys at once.
    """

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":  # Textual calls the base class's handler by itself, unless it is prevented
            event.stop()
            event.prevent_default()
            await self.action_submit()

    def type_ahead(self, event: events.Key) -> None:
        """A letter that was typed before this had the focus."""
        if event.is_printable and event.character:
            event.stop()
            self.insert_text_at_cursor(event.character)
