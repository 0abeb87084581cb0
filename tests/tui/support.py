"""An app on a made-up run, with sound and media that tests can look into."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from textual.pilot import Pilot

from avterm.store.run import Run
from avterm.tui.app import BrowseApp
from avterm.tui.media import Readers
from avterm.tui.player import Sound
from avterm.tui.session import Session
from tests.synthetic import WORDS, make_run


class FakePlayer:
    """Remembers what it was asked to play; `finish` ends the sound."""

    def __init__(self) -> None:
        self.played: list[tuple[int, bool]] = []
        self.stops = 0
        self.ended: Callable[[str | None], None] | None = None

    def play(self, samples, loop, ended) -> None:
        self.played.append((len(samples), loop))
        self.ended = ended

    def finish(self, error: str | None = None) -> None:
        ended, self.ended = self.ended, None
        ended(error)

    def stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        pass


class FakeRecorder:
    """Records half a second of a ramp, or fails."""

    def __init__(self, error: str | None = None, samples: int = 8000) -> None:
        self.error, self.samples = error, samples

    def start(self) -> str | None:
        return self.error

    def stop(self) -> np.ndarray:
        return np.linspace(-0.5, 0.5, self.samples, dtype=np.float32)


def fake_audio(path: Path) -> np.ndarray:
    """Three seconds of a tone, whatever the file."""
    return (0.2 * np.sin(np.arange(48_000) * 0.05)).astype(np.float32)


def fake_mel(samples: np.ndarray) -> np.ndarray:
    """Flat steps, so that pictures of it are the same on every machine."""
    mel = np.zeros((len(samples) // 160, 40), np.float32)
    for step in range(6):
        mel[50 * step : 50 * step + 30, 4 + 5 * step : 10 + 5 * step] = 1 + step
    return mel


def fake_picture(path: Path) -> np.ndarray:
    """Four flat quarters."""
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:30, :40], picture[:30, 40:] = (200, 60, 60), (60, 160, 60)
    picture[30:, :40], picture[30:, 40:] = (60, 80, 200), (190, 180, 70)
    return picture


READERS = Readers(fake_audio, fake_mel, fake_picture)


def evaluated(run: Run, k: int = 6) -> None:
    """An evaluation such as `avterm evaluate` writes."""
    folder = run.path / "evaluation"
    folder.mkdir(exist_ok=True)
    clusters = [
        {"cluster": c, "label": WORDS[c % len(WORDS)], "size": 8, "purity": 1.0 - c / 10, "variance": 0.1 * c,
         "coverage": 0.5 + c / 20, "image_cluster": c, "image_size": 8, "affinity": 10.0 * c, "speakers": 3}
        for c in range(k)
    ]  # fmt: skip
    (folder / f"k{k:05d}.json").write_text(json.dumps({"overall": {}, "clusters": clusters}))


def make_session(folder: Path, *, readers: Readers = READERS, searcher=None, recorder=None, **options) -> Session:
    """A session on a run of 12 pairs and 6 clusters."""
    run = make_run(folder, media=options.pop("media", False), **options)
    evaluated(run)
    return session_of(run, readers=readers, searcher=searcher, recorder=recorder)


def session_of(run: Run, *, readers: Readers = READERS, searcher=None, recorder=None, k=None) -> Session:
    player = FakePlayer()
    session = Session(run, k, readers, Sound(lambda: player, lambda: recorder or FakeRecorder()), searcher)
    session.fake = player
    return session


def make_app(session: Session, pictures: str = "halfcell", **options) -> BrowseApp:
    app = BrowseApp(session, pictures, **options)
    app.animation_level = "none"
    return app


async def settle(pilot: Pilot, rounds: int = 3) -> None:
    """Wait until workers of every screen are done and what they changed is drawn."""
    for _ in range(rounds):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()
