"""Every key, as it is set now."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from avterm.tui.keys import TITLES, current, keys_path, shown


class HelpPage(ModalScreen[None]):
    """The help screen."""

    BINDINGS = [Binding("escape,q,question_mark,f1", "dismiss(None)", "Close")]  # noqa: RUF012

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self.keymap = keymap

    def compose(self) -> ComposeResult:
        """One table of all scopes."""
        table = Table(box=None, padding=(0, 1), expand=True, show_header=False)
        table.add_column("keys", style="bold", no_wrap=True)
        table.add_column("what", ratio=1)
        last = ""
        for scope, key, keys in current(self.keymap):
            if scope != last:
                if last:
                    table.add_row("", "")
                table.add_row("", f"[bold underline]{TITLES[scope]}[/]  [dim]\\[{scope}][/]")
                last = scope
            table.add_row(shown(keys), f"{key.help} [dim]({key.name})[/]")
        table.add_row("", "")
        table.add_row("tab", "The next list of the screen")
        table.add_row("ctrl+p", "Command palette")
        with VerticalScroll(id="help"):
            yield Static(table)
            yield Static(
                f"\nKeys are set in {keys_path()}; `avterm browse --keys` prints a file to start from.", markup=False
            )

    def on_mount(self) -> None:
        """Ready to scroll."""
        self.query_one("#help").focus()
