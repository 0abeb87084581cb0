"""The terminal app: opens screens on one session, and owns what is the same everywhere."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.theme import Theme

from avterm.errors import UsageError
from avterm.tui.commands import BrowseCommands
from avterm.tui.keys import Keymap, bindings
from avterm.tui.messages import OpenCluster, OpenPair, OpenSearch
from avterm.tui.screens.cluster import ClusterPage
from avterm.tui.screens.clusters import ClustersPage
from avterm.tui.screens.help import HelpPage
from avterm.tui.screens.map import MapPage
from avterm.tui.screens.page import CuratePage, Page
from avterm.tui.screens.pair import PairPage
from avterm.tui.screens.search import SearchPage
from avterm.tui.session import Session
from avterm.tui.widgets.picture import PROTOCOLS

THEMES = (
    Theme(
        name="avterm-dark", primary="#3f6fb5", secondary="#45d9c8", accent="#ffb000", warning="#ffb000",
        error="#ff5d8f", success="#7ddf64", background="#101116", surface="#16171d", panel="#20222b",
        foreground="#d8dae3", dark=True,
    ),
    Theme(
        name="avterm-light", primary="#8fb4ea", secondary="#0f8b7d", accent="#a86400", warning="#a86400",
        error="#b3224f", success="#2c7a1f", background="#f7f7f4", surface="#ffffff", panel="#e7e8ec",
        foreground="#1c1d22", dark=False,
    ),
)  # fmt: skip


class BrowseApp(App[None]):
    """`avterm browse`."""

    TITLE = "avterm"
    CSS_PATH = "browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    COMMANDS = App.COMMANDS | {BrowseCommands}
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self, session: Session, pictures: str = "auto", keymap: Keymap | None = None, theme: str | None = None
    ) -> None:
        """`pictures`: the terminal's protocol, one of PROTOCOLS; `keymap`: keys that the user changed."""
        if pictures not in PROTOCOLS:
            raise UsageError(f"pictures {pictures!r} is not known; known: {', '.join(PROTOCOLS)}")
        super().__init__()
        self.session = session
        self.pictures = pictures
        self.own_keys: Keymap = dict(keymap or {})
        for own in THEMES:
            self.register_theme(own)
        if theme is not None and theme not in self.available_themes:
            raise UsageError(f"theme {theme!r} is not known; known: {', '.join(sorted(self.available_themes))}")
        self.theme = theme or THEMES[0].name
        self.set_keymap(self.own_keys)

    def on_mount(self) -> None:
        """The clusters first."""
        self.push_screen(ClustersPage(self.session))

    def show_cluster(self, modality: str, cluster: int) -> None:
        """Open a cluster; on a cluster's screen of the same modality, turn to it."""
        screen = self.screen
        if isinstance(screen, ClusterPage):
            screen.action_stop()
        self.push_screen(ClusterPage(self.session, self.pictures, modality, cluster))

    def on_open_cluster(self, message: OpenCluster) -> None:
        """A screen asks for a cluster."""
        self.show_cluster(message.modality, message.cluster)

    def on_open_pair(self, message: OpenPair) -> None:
        """A screen asks for a pair."""
        self.push_screen(PairPage(self.session, self.pictures, message.row))

    def on_open_search(self, message: OpenSearch) -> None:
        """A screen asks for what is like its segment or picture."""
        self.push_screen(SearchPage(self.session, message.path, message.kind))

    def action_help(self) -> None:
        """Every key."""
        self.push_screen(HelpPage(self.own_keys))

    async def action_back(self) -> None:
        """Back to the screen before; on the first, out of the filter."""
        screen = self.screen
        if isinstance(screen, ClustersPage):
            screen.leave_filter()
        elif isinstance(screen, Page):
            screen.action_stop()
            await self.pop_screen()

    def action_map(self) -> None:
        """The map, at the cluster under the cursor."""
        screen = self.screen
        subject = screen.subject() if isinstance(screen, CuratePage) else None
        modality, cluster = subject if subject is not None else ("speech", None)
        if isinstance(screen, Page):
            self.push_screen(MapPage(self.session, modality, cluster))

    def action_search(self) -> None:
        """The search."""
        if isinstance(self.screen, Page):
            self.push_screen(SearchPage(self.session))

    def action_next_theme(self) -> None:
        """The next theme, by name, our own first."""
        names = [t.name for t in THEMES] + sorted(set(self.available_themes) - {t.name for t in THEMES})
        self.theme = names[(names.index(self.theme) + 1) % len(names)]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would open the screen that is open already do nothing, and the footer does not offer them."""
        here = {"map": MapPage, "search": SearchPage}.get(action)
        return here is None or not isinstance(self.screen, here)

    async def action_quit(self) -> None:
        """Leave; decisions on their way to the disk arrive there first."""
        self.session.hush()
        self.exit()

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Keys that the user set win; `load_keymap` has refused those that clash in earnest."""

    def on_unmount(self) -> None:
        """Let go of sound devices and finish writing."""
        self.session.close()
