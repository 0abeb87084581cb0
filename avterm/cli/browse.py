"""`avterm browse`: clusters, sound and pictures in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avterm.cli import common
from avterm.errors import UsageError

if TYPE_CHECKING:
    from avterm.store.run import Run
    from avterm.tui.searcher import Searcher
    from avterm.tui.session import Session


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    app.command()(browse)


def browse(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="The run's folder.")] = None,
    k: Annotated[int | None, typer.Option("-k", help="Which clustering; without, the one made last.")] = None,
    pictures: Annotated[
        str | None,
        typer.Option(help="auto, kitty, sixel, halfcell, unicode or off: how the terminal shows pictures."),
    ] = None,
    theme: Annotated[str | None, typer.Option(help="A theme of the app, as in its command palette.")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Print the keys, as a file to start from, and leave.")] = False,
) -> None:
    """Look at clusters, hear them, and decide which are words."""
    from avterm.tui.keys import as_toml, load_keymap, load_looks

    keymap, looks = load_keymap(), load_looks()
    if keys:
        common.say(as_toml(keymap, looks).rstrip("\n"))
        return
    if run is None:
        raise UsageError("browse: give the run's folder, as in `avterm browse demo/run`")
    from avterm.tui.terminal import interactive, quiet_libraries

    if not interactive():
        raise UsageError("browse: needs a terminal on stdin and stdout; `avterm report` writes pages and pictures")
    from avterm.store.run import Run
    from avterm.tui.graphics import settle

    session = open_session(Run.open(run), k)
    pictures = settle(pictures or looks.get("pictures", "auto"))
    from avterm.tui.app import BrowseApp  # loads what would ask the terminal by itself

    browser = BrowseApp(session, pictures, keymap, theme or looks.get("theme"))
    with quiet_libraries():
        browser.run()
    if browser.return_code:
        raise typer.Exit(1)


def open_session(run: Run, k: int | None) -> Session:
    """A session on a run. Libraries for sound, pictures and models load when they are first used."""
    from avterm.tui.media import Readers
    from avterm.tui.player import Sound
    from avterm.tui.session import Session

    readers, sound = Readers(_audio, _log_mel, _picture), Sound(_player, _recorder)
    session = Session(run, k, readers, sound, _searcher(run, lambda: session.k))
    return session


def _audio(path: Path) -> Any:
    from avterm.speech.audio import read_audio

    return read_audio(path)


def _log_mel(samples: Any) -> Any:
    from avterm.speech.logmel import log_mel

    return log_mel(samples)


def _picture(path: Path) -> Any:
    from avterm.vision.pictures import read_picture

    return read_picture(path)


def _player() -> Any:
    from avterm.tui.sound import DevicePlayer

    return DevicePlayer()


def _recorder() -> Any:
    from avterm.tui.sound import Microphone

    return Microphone()


def _searcher(run: Run, k: Callable[[], int]) -> Callable[[], Searcher] | None:
    """How to get a searcher for this run and the clusters on screen; None where there is no model to search with."""
    if not (run.path / "checkpoints" / "best.safetensors").exists():  # asked without torch, which loads checkpoints
        return None
    from avterm.tui.searcher import SearchProcess

    return lambda: SearchProcess(run.path, k)
