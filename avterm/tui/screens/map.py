"""The map: t-SNE of the centroids (Figure 4), to walk through with the arrows."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import ClassVar

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from avterm.errors import printable
from avterm.tui.keys import bindings
from avterm.tui.messages import OpenCluster
from avterm.tui.points import map_path, neighbour, read_map
from avterm.tui.rows import ClusterRow
from avterm.tui.screens.page import ClusterListPage
from avterm.tui.session import LETTER, Session
from avterm.tui.widgets.keybar import KeyBar
from avterm.tui.widgets.scatter import Point, Scatter


class MapPage(ClusterListPage):
    """All clusters of a modality."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("map")

    def __init__(self, session: Session, modality: str, cluster: int | None = None) -> None:
        """`cluster`: where the cursor begins; None: at the lowest variance."""
        super().__init__(session)
        self.modality, self.first = modality, cluster
        self.rows: list[ClusterRow] = []
        self._ranks: list[int] = []
        self._points: np.ndarray | None = None

    def compose(self) -> ComposeResult:
        """The map between two lines."""
        yield Static(" laying out the map …", id="title", markup=False)
        yield Scatter(id="map")
        yield Static("", id="facts", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Read the points, or have them made."""
        self.query_one("#map").focus()
        self.run_worker(self._read(), group="map", exclusive=True)

    async def _read(self) -> None:
        points = await self.aside(read_map, self.session.run, self.session.clusters, self.modality)
        if points is None:
            if not await self._compute():
                return
            points = await self.aside(read_map, self.session.run, self.session.clusters, self.modality)
        if points is None:
            self.query_one("#title", Static).update(" the map could not be kept in the run")
            return
        self._points = points
        self._look()
        full = [r for r in self._ranks if np.isfinite(points[r]).all()]
        if full:
            first = self.first if self.first is not None and np.isfinite(points[self.first]).all() else full[0]
            self.query_one(Scatter).cursor = first
        self._facts()

    async def _compute(self) -> bool:
        """A process of its own: neither its imports nor its work make a key wait, and leaving the screen ends it.

        On one thread, as those of Barnes-Hut wait for each other: on busy cores two take ten times as long as one.
        """
        run, k = self.session.run, self.session.k
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "avterm.tui.layout", str(run.path), str(k), self.modality,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["t-SNE failed"]
            self.query_one("#title", Static).update(Text(f" no map: {printable(last[0])}"))
            return False
        return map_path(run, k, self.modality).exists()

    def refresh_decisions(self) -> None:
        """Names and states have changed."""
        if self._points is not None:
            self._look()
            self._facts()

    def _look(self) -> None:
        self.rows = self.session.rows(self.modality)
        variance = np.array([r.variance for r in self.rows])
        self._ranks = [int(i) for i in np.argsort(np.nan_to_num(variance, nan=np.inf), kind="stable")]
        shades = ("bold bright_cyan", "cyan", "blue", "bright_black")
        place = {c: i for i, c in enumerate(self._ranks)}
        looks = []
        for row in self.rows:
            shade = shades[min(place[row.cluster] * len(shades) // max(len(self.rows), 1), len(shades) - 1)]
            glyph, style = {"accepted": ("✓", "bold green"), "rejected": ("×", "red")}.get(row.state, ("●", shade))
            looks.append(Point(glyph, style, row.title))
        if self._points is not None:
            self.query_one(Scatter).fill(self._points, looks, self._ranks)
        what = "segments" if self.modality == "speech" else "crops"
        text = Text.assemble((" Map", "bold"), f"  {len(self.rows)} clusters of {what}, t-SNE of the centroids")
        text.append("; the brighter, the lower the variance", "dim")
        self.query_one("#title", Static).update(text)

    def subject(self) -> tuple[str, int] | None:
        """The cluster under the cursor."""
        return None if self._points is None else (self.modality, self.query_one(Scatter).cursor)

    @on(Scatter.Moved)
    def _facts(self) -> None:
        subject = self.subject()
        if subject is None or not self.rows:
            return
        row = self.rows[subject[1]]
        text = Text.assemble((f" {LETTER[self.modality]}{row.cluster} {printable(row.title[:60])}", "bold"))
        text.append(f"  {row.state}, {row.size:,} members, variance {row.variance:.3f}")
        if row.purity is not None:
            text.append(f", purity {row.purity:.3f}")
        self.query_one("#facts", Static).update(text)

    def action_walk(self, across: int, down: int) -> None:
        """To the neighbour in a direction, as it looks on screen."""
        scatter = self.query_one(Scatter)
        if self._points is not None:
            seen = scatter.cells().astype(np.float64) * [1.0, 2.0]  # a cell is twice as high as wide
            seen[scatter.cells()[:, 0] < 0] = np.nan
            scatter.cursor = neighbour(seen, scatter.cursor, across, down)

    def action_step(self, step: int) -> None:
        """The next by variance."""
        scatter = self.query_one(Scatter)
        if self._points is None:
            return
        full = [r for r in self._ranks if np.isfinite(self._points[r]).all()]
        if scatter.cursor in full:
            scatter.cursor = full[(full.index(scatter.cursor) + step) % len(full)]

    @on(Scatter.Chosen)
    def action_open(self) -> None:
        """Open the cluster."""
        if (subject := self.subject()) is not None:
            self.post_message(OpenCluster(*subject))
