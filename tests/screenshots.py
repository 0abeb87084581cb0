"""Screenshots of the terminal app on a real run, as SVG: `python -m tests.screenshots RUN docs/images`.

The run must be grounded, clustered and evaluated; give a copy, as the map and the search are kept in the run. What is
drawn is what a terminal of 120 × 36 without a picture protocol shows; its half blocks, thousands of letters in as many
colours, are put in as the pixels that they are.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from avterm.cli.browse import open_session
from avterm.store.run import Run
from avterm.tui.app import BrowseApp
from avterm.tui.rows import sort_rows
from avterm.tui.session import Session

SIZE = (120, 36)
Step = tuple[list[list[str]], str]  # bursts of keys, then the file that the screen is written to
QUIET, LONGEST = 2.0, 120.0  # seconds without a change until a screen counts as drawn, and of waiting for that
WIDE, HIGH, TOP = 12.2, 24.4, 1.5  # of a cell in the drawing, and where the first begins
BEHIND = re.compile(r'<rect fill="(#\w{6})" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" [^>]*/>')
BLOCKS = re.compile(r'<text class="avterm-(r\d+)" x="([\d.]+)"[^>]*#avterm-line-(\d+)\)">(▀+)</text>')
STYLES = re.compile(r"\.avterm-(r\d+) \{ fill: (#\w{6})")
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


async def shoot(run: Path, folder: Path) -> list[Path]:
    """Write the screenshots; returns their paths."""
    app = BrowseApp(open_session(Run.open(run), None), "halfcell")
    app.animation_level = "none"
    written = []
    async with app.run_test(size=SIZE) as pilot:
        await still(app)
        for bursts, name in steps(*telling(app.session)):
            for keys in bursts:
                await pilot.press(*keys)
                await still(app)
            path = folder / f"{name}.svg"
            path.write_text(pixels(plain(app.export_screenshot(title="avterm browse"))), encoding="utf-8")
            written.append(path)
    return written


def steps(cluster: int, member: int) -> list[Step]:
    """The table with the cursor on a cluster, the cluster with the cursor on a member, its pair, and the map."""
    return [
        ([["g", *str(cluster)], ["enter"]], "browse-clusters"),
        ([["enter"], ["down"] * member], "browse-cluster"),
        ([["o"]], "browse-pair"),
        ([["escape"], ["escape"], ["m"]], "browse-map"),
    ]


def telling(session: Session, clusters: int = 12, members: int = 20) -> tuple[int, int]:
    """A cluster of low variance and the central member of it whose pair has groundings in most clusters (Figure 1)."""
    side = session.side("speech")
    best, found = 0, (0, 0)
    for cluster in sort_rows(session.rows("speech"), "variance", False)[:clusters]:
        for number, row in enumerate(side.members(cluster.cluster, members)):
            listed, _ = session.pair_members(int(row))
            different = len({session.name("speech", session.home("speech", m.row)) for m in listed})
            if different > best:
                best, found = different, (cluster.cluster, number)
    return found


async def still(app: BrowseApp) -> None:
    """Wait until no worker works and the screen has not changed for a while."""
    loop = asyncio.get_running_loop()
    begin, before, since = loop.time(), "", loop.time()
    while loop.time() - begin < LONGEST:
        await asyncio.sleep(0.5)
        now = app.export_screenshot()
        if now != before or any(not worker.is_finished for worker in app.workers):
            before, since = now, loop.time()
        elif loop.time() - since >= QUIET:
            return


def plain(svg: str) -> str:
    """Without the fonts that the drawing would load from another site, and with ids that are the same every time."""
    svg = FONTS.sub("", svg).replace("Fira Code, monospace", "Menlo, Consolas, DejaVu Sans Mono, monospace")
    return re.sub(r"terminal-\d+", "avterm", svg)


def pixels(svg: str) -> str:
    """With every half block (▀: one colour above, one below) as two pixels of one picture that lies under the text."""
    colours = dict(STYLES.findall(svg))
    canvas = np.zeros((2 * SIZE[1], SIZE[0], 4), np.uint8)
    cells = set()
    for style, x, line, text in BLOCKS.findall(svg):
        first, row = round(float(x) / WIDE), int(line)
        canvas[2 * row, first : first + len(text)] = _rgba(colours[style])
        cells |= {(first + step, row) for step in range(len(text))}

    def below(found: re.Match[str]) -> str:
        first, row = round(float(found[2]) / WIDE), round((float(found[3]) - TOP) / HIGH)
        count = round(float(found[4]) / WIDE)
        if not {(first + step, row) for step in range(count)} <= cells:
            return found[0]
        canvas[2 * row + 1, first : first + count] = _rgba(found[1])
        return ""

    svg = BEHIND.sub(below, BLOCKS.sub("", svg))
    used = set(re.findall(r'class="avterm-(r\d+)"', svg))
    svg = re.sub(r"\.avterm-(r\d+) \{.*\}\n", lambda found: found[0] if found[1] in used else "", svg)
    if not cells:
        return svg
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    picture = (
        f'<image y="{TOP}" width="{SIZE[0] * WIDE:.1f}" height="{SIZE[1] * HIGH:.1f}" preserveAspectRatio="none" '
        f'style="image-rendering: pixelated" href="data:image/png;base64,{data}"/>'
    )
    return svg.replace('<g class="avterm-matrix">', f'{picture}\n    <g class="avterm-matrix">', 1)


def _rgba(colour: str) -> tuple[int, ...]:
    return *(int(colour[at : at + 2], 16) for at in (1, 3, 5)), 255


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.screenshots RUN FOLDER")
    Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
    for shot in asyncio.run(shoot(Path(sys.argv[1]), Path(sys.argv[2]))):
        sys.stdout.write(f"{shot}\t{shot.stat().st_size // 1000} kB\n")
