"""The footer: every key that does something here, on as many lines as it takes, each also a button for the mouse."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from avterm.tui.keys import KEYS, current, shown

ORDER = ("cluster", "clusters", "pair", "map", "search", "sound", "curate", "app")


class KeyBar(Widget):
    """The screen's own keys first, then those of sound and curation, then those that work everywhere."""

    COMPONENT_CLASSES = {"keybar--key"}  # noqa: RUF012
    DEFAULT_CSS = """
    KeyBar > .keybar--key { color: $accent; text-style: bold; }
    KeyBar { dock: bottom; width: 100%; height: auto; background: $panel; color: $text-muted; }
    """

    def on_mount(self) -> None:
        """Follow the keys as the focus moves."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        self.refresh(layout=True)

    def render(self) -> RenderResult:
        """The lines."""
        style = self.get_component_rich_style("keybar--key", partial=True)
        text = Text(no_wrap=True)
        for number, line in enumerate(self._lines(self.size.width)):
            text.append("\n" if number else "")
            for key, words, _ in line:
                text.append(f"{key} ", style)
                text.append(f"{words}  ")
        return text

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the keys need."""
        return max(len(self._lines(width)), 1)

    async def on_click(self, event: events.Click) -> None:
        """A key's text presses the key."""
        lines = self._lines(self.size.width)
        if event.y < len(lines):
            x = event.x
            for key, words, pressed in lines[event.y]:
                x -= cell_len(key) + cell_len(words) + 3
                if x < 0:
                    self.app.simulate_key(pressed)
                    return

    def _lines(self, width: int) -> list[list[tuple[str, str, str]]]:
        """Lines of (key as shown, what it does, key to press)."""
        lines: list[list[tuple[str, str, str]]] = [[]]
        left = width
        for entry in self._entries():
            length = cell_len(entry[0]) + cell_len(entry[1]) + 3
            if length - 2 > left and lines[-1]:
                lines.append([])
                left = width
            lines[-1].append(entry)
            left -= length
        return lines

    def _entries(self) -> list[tuple[str, str, str]]:
        keys = {f"{scope}.{key.name}": now.split(",") for scope, key, now in current(getattr(self.app, "own_keys", {}))}
        found: dict[str, tuple[int, str, str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.id is not None and binding.show and active.enabled:
                ranked = keys.get(binding.id, [])
                rank = ranked.index(binding.key) if binding.key in ranked else len(ranked)
                entry = (rank, shown(binding.key), binding.description, binding.key)
                found[binding.id] = min(found.get(binding.id, entry), entry)
        order = [f"{scope}.{key.name}" for scope in ORDER for key in KEYS[scope]]
        return [found[id][1:] for id in order if id in found]
