"""One page that holds a run's discoveries: a single HTML file that asks nothing of the network and opens from disk.

All that comes from the corpus (labels, ids, transcripts) goes in as JSON in a data block, `<` escaped, and reaches the
document through textContent only. The page's policy lets exactly its own script and style run, by their hashes.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from avterm.progress import Progress, Silent
from avterm.report.contents import cluster_values, figure_values, map_values, summary
from avterm.report.figures import drawings, telling_pairs
from avterm.report.media import Budget, Media
from avterm.report.pack import Packed, pack, whole_pairs
from avterm.report.source import Source
from avterm.report.tables import table_values
from avterm.store.atomic import write_text
from avterm.store.run import Run

SCRIPTS = ("dom.js", "sound.js", "pictures.js", "clusters.js", "pairs.js", "overview.js", "map.js", "main.js")
PAGE_FIGURES = ("1", "2", "3", "4", "training", "affinity")


@dataclass(frozen=True)
class PageOptions:
    """What the page holds: the `clusters` of lowest variance (0: all), `members` to play of each, up to `megabytes`."""

    clusters: int = 500
    members: int = 9
    megabytes: float = 19.5


@dataclass(frozen=True)
class PageSummary:
    """What came out: the page's path and size in bytes, what it holds and how much of the media found no room."""

    path: Path
    bytes: int
    clusters: int
    segments: int
    pictures: int
    left_out: dict[str, int]

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.bytes / 1e6:.1f} MB, {self.clusters} clusters, {self.segments} segments, "
            f"{self.pictures} pictures" + "".join(f"; no room for {n} {kind}" for kind, n in self.left_out.items())
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def write_page(
    run: Run,
    path: Path,
    k: int | None = None,
    options: PageOptions | None = None,
    words: Path | None = None,
    progress: Progress | None = None,
) -> PageSummary:
    """Write the page of a run's clusters of `k` (None: those made last) to `path`, whole or not at all.

    Works without evaluation, word times or media; the page says what is missing. `progress` hears a Problem for every
    file that cannot be used. Raises StoreError where there are no groundings or clusters.
    """
    options, progress = options or PageOptions(), progress or Silent()
    source = Source(run, k, words)
    media = Media(run, progress)
    standing = source.standing()
    listed = standing[: options.clusters] if options.clusters else standing
    telling = telling_pairs(source, 12)
    made = drawings(source, media, PAGE_FIGURES, pairs=telling[:1])
    content: dict[str, Any] = {
        "title": run.path.resolve().name,
        "k": source.k,
        "summary": summary(source),
        "tables": table_values(source),
        "figures": figure_values(made, progress),
        "clusters": cluster_values(source, listed),
        "titles": [fact.title for fact in source.facts],
        "imageSizes": source.clusters.image.size.tolist(),
        "imageTitles": source.image_titles(),
        "map": map_values(source),
    }
    size = int(options.megabytes * 1e6)
    budget = Budget(size - _size(_page(content)))
    packed = pack(source, media, listed, whole_pairs(source, listed, telling), options.members, budget, progress)
    notes = _notes(source, len(standing) - len(listed), packed, options)
    html = _page(content | _media_values(packed) | {"notes": notes})
    write_text(path, html)
    segments = sum(map(len, packed.segments.values()))
    return PageSummary(path, _size(html), len(listed), segments, len(packed.pictures), packed.left_out)


def _media_values(packed: Packed) -> dict[str, Any]:
    return {
        "pairs": packed.pairs,
        "pictures": packed.pictures,
        "clips": packed.clips,
        "segments": packed.segments,
        "crops": packed.crops,
    }


def _notes(source: Source, unlisted: int, packed: Packed, options: PageOptions) -> list[str]:
    notes = []
    if not source.labelled:
        notes.append(
            "No word times have been evaluated, so clusters have numbers for labels, and no purity or coverage: "
            "run `avterm evaluate` where word times are known."
        )
    if unlisted:
        notes.append(f"{unlisted:,} more clusters, of higher variance, are left out: --clusters 0 lists all.")
    if packed.left_out:
        lost = " and ".join(f"{count:,} {kind}" for kind, count in sorted(packed.left_out.items()))
        notes.append(f"{lost} found no room within {options.megabytes:g} MB: the most central of each cluster are in.")
    if not packed.pictures:
        notes.append("No picture of the corpus could be read.")
    if not packed.clips and not any("sound" in pair for pair in packed.pairs):
        notes.append("No recording of the corpus could be read, so nothing plays.")
    return notes


def _page(content: dict[str, Any]) -> str:
    """The document. All that comes from the corpus is in its data block, as ASCII."""
    script = "\n".join(_file(name) for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}\n}})();\n'
    style = _file("page.css")
    data = json.dumps(content, allow_nan=False, separators=(",", ":"))
    data = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    page = _file("page.html")
    for place, text in (("SCRIPT-HASH", _hash(script)), ("STYLE-HASH", _hash(style)), ("STYLE", style)):
        page = page.replace(f"<!--{place}-->" if place == "STYLE" else place, text)
    head, rest = page.split("<!--DATA-->")
    middle, tail = rest.split("<!--SCRIPT-->")
    return head + data + middle + script + tail


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _file(name: str) -> str:
    return (resources.files("avterm.report") / name).read_text(encoding="utf-8")
