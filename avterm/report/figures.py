"""Every figure of a run by name: what it shows, in words, and how to draw it; for files and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from avterm.errors import UsageError
from avterm.progress import Progress
from avterm.report.affinity_figure import draw_affinity
from avterm.report.crops_figure import CropSheet, cut, draw_crops
from avterm.report.curves_figure import draw_curves, read_metrics
from avterm.report.grounding_figure import GroundedPair, draw_grounding
from avterm.report.map_figure import draw_map
from avterm.report.media import Media
from avterm.report.purity_figure import draw_purity
from avterm.report.source import ClusterFacts, Source
from avterm.report.style import LIGHT, Theme, save_figure

NAMES = ("1", "2", "3", "4", "appendix", "training", "affinity")
APPENDIX_PAGE = 30  # clusters a page
SHEETS = 10  # clusters of Figure 3


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn in either theme. `pictures`: holds photographs, so that a page embeds pixels."""

    stem: str
    title: str
    caption: str
    draw: Callable[[Theme], Figure]
    pictures: bool = False


def drawings(
    source: Source, media: Media, names: Sequence[str] = NAMES, pairs: Sequence[str] = (), appendix: int = 0
) -> list[Drawing]:
    """The figures of these names, as far as the run has what they show.

    `pairs` are the ids of Figure 1 (none: one pair that shows the method well); `appendix` is how many clusters its
    pages hold (0: all). UsageError names an unknown figure or pair.
    """
    unknown = next((n for n in names if n not in NAMES), None)
    if unknown is not None:
        raise UsageError(f"figure {unknown!r} is not known; there are: {', '.join(NAMES)}")
    made: list[Drawing] = []
    for name in NAMES:
        if name not in names:
            continue
        if name == "1":
            made += [_grounding(source, media, id) for id in (pairs or telling_pairs(source, 1))]
        elif name == "2":
            made += _purity(source)
        elif name == "3":
            made += _crops(source, media)
        elif name == "4":
            made += _map(source)
        elif name == "appendix":
            made += _appendix(source, media, appendix)
        elif name == "training":
            made += _training(source)
        else:
            made += _affinity(source)
    return made


def write_figures(made: Sequence[Drawing], folder: Path, progress: Progress) -> list[Path]:
    """PNG and SVG of each drawing in `folder`; the paths written."""
    paths: list[Path] = []
    with progress.step("figures", len(made), "figures") as step:
        for drawing in made:
            paths += save_figure(drawing.draw(LIGHT), folder / drawing.stem)
            step.advance()
    return paths


def telling_pairs(source: Source, count: int) -> list[str]:
    """Ids of pairs that show the method well: several groundings, of different clusters, all of low variance."""
    order = [f.cluster for f in source.standing()]
    worth = np.zeros(source.k)
    worth[order] = np.linspace(1, 0, len(order), endpoint=False)
    rows = {int(r) for c in order[:100] for r in source.members(c, 12)}
    indexes = sorted({int(i) for i in source.groundings.pair_of(np.array(sorted(rows), np.int64))}) if rows else []
    assignment, offsets = source.clusters.speech.assignment, source.groundings.offsets
    scored = []
    for index in indexes:
        clusters = np.unique(assignment[int(offsets[index]) : int(offsets[index + 1])])
        scored.append((-float(np.sort(worth[clusters])[::-1][:4].sum()), index))
    ids = source.groundings.ids
    return [ids[index] for _, index in sorted(scored)[:count]] or ids[:count]


def grounded(source: Source, media: Media, id: str) -> GroundedPair:
    """What Figure 1 shows of a pair; UsageError where it has no groundings."""
    if id not in source.groundings:
        lost = next((p for p in source.groundings.left_out() if p.id == id), None)
        reason = str(lost) if lost else f"{id}: no grounded pair has this id; `avterm corpus show` lists them"
        raise UsageError(reason)
    groundings = source.groundings.of_pair(id)
    pair = source.pair(id)
    rows = groundings.first + np.arange(len(groundings))
    names = [source.facts[int(c)].title for c in source.clusters.speech.assignment[rows]]
    return GroundedPair(
        groundings=groundings,
        picture=None if pair is None else media.picture(pair),
        mel=None if pair is None else media.mel(pair),
        words=source.words.get(id, []),
        names=names,
    )


def sheet_of(source: Source, media: Media, image_cluster: int) -> CropSheet:
    """The nine most central crops of an image cluster under the title of its most affine speech cluster.

    One crop a picture: a picture may hold the same thing in several boxes that differ by a grid line.
    """
    fact = source.facts[int(source.clusters.speech_of_image[image_cluster])]
    crops: list[np.ndarray] = []
    seen: set[str] = set()
    for row in source.clusters.image.members(image_cluster, 60).tolist():
        pair = source.pair_of_row(row)
        if pair is None or pair.image in seen or len(crops) == 9:
            continue
        seen.add(pair.image)
        picture = media.picture(pair)
        if picture is not None:
            crops.append(cut(picture, source.groundings.column("box")[row]))
    return CropSheet(fact.title, _note(fact), crops)


def _note(fact: ClusterFacts) -> str:
    parts = [] if fact.purity is None else [f"purity {fact.purity:.2f}"]
    parts += [] if fact.variance is None else [f"variance {fact.variance:.2f}"]
    return ", ".join(parts)


def _grounding(source: Source, media: Media, id: str) -> Drawing:
    pair = grounded(source, media, id)
    stem = "figure-1-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in id)[:60]
    caption = (
        f"Groundings of the pair {id}: a box of the picture and the segment of the caption that names it have the "
        "same colour and number, in order of their score."
    )
    return Drawing(stem, "Figure 1", caption, lambda theme: draw_grounding(pair, theme), pictures=True)


def _purity(source: Source) -> list[Drawing]:
    facts = source.facts
    if all(f.purity is None for f in facts):
        return []
    variance = np.array([np.nan if f.variance is None else f.variance for f in facts])
    purity = np.array([np.nan if f.purity is None else f.purity for f in facts])
    size, names = np.array([f.size for f in facts]), [f.title for f in facts]
    caption = (
        "Purity × ln(size) of each speech cluster against its variance, with the least-squares line: a cluster's "
        "variance, known without any transcript, foretells its quality."
    )
    return [Drawing("figure-2", "Figure 2", caption, lambda theme: draw_purity(variance, purity, size, names, theme))]


def _image_order(source: Source) -> list[int]:
    """Image clusters by the variance of the speech cluster that they link to; one per speech cluster comes first."""
    rank = {f.cluster: i for i, f in enumerate(source.standing())}
    best: list[tuple[int, int]] = []
    rest: list[tuple[int, int]] = []
    for image, speech in enumerate(source.clusters.speech_of_image.tolist()):
        if speech in rank and source.clusters.image.size[image]:
            mutual = int(source.clusters.image_of_speech[speech]) == image
            (best if mutual else rest).append((rank[speech], image))
    return [image for _, image in sorted(best) + sorted(rest)]


def _crops(source: Source, media: Media) -> list[Drawing]:
    chosen: list[int] = []
    titles: set[str] = set()
    for image in _image_order(source):  # ten different words rather than one word ten times
        title = source.facts[int(source.clusters.speech_of_image[image])].title
        if title not in titles:
            titles.add(title)
            chosen.append(image)
        if len(chosen) == SHEETS:
            break
    sheets = [sheet_of(source, media, image) for image in chosen]
    caption = (
        "The nine most central crops of image clusters, each under the label of the speech cluster to which it has "
        "the highest affinity."
    )
    return [Drawing("figure-3", "Figure 3", caption, lambda theme: draw_crops(sheets, theme=theme), pictures=True)]


def _appendix(source: Source, media: Media, limit: int) -> list[Drawing]:
    order = _image_order(source)
    order = order[:limit] if limit else order
    pages = [order[i : i + APPENDIX_PAGE] for i in range(0, len(order), APPENDIX_PAGE)]
    caption = "Image clusters as in Figure 3, by the variance of their speech cluster."

    def page(images: list[int]) -> Callable[[Theme], Figure]:
        return lambda theme: draw_crops([sheet_of(source, media, i) for i in images], theme=theme)

    return [
        Drawing(f"appendix-{n:02d}", f"Appendix, page {n} of {len(pages)}", caption, page(images), pictures=True)
        for n, images in enumerate(pages, 1)
    ]


def _map(source: Source) -> list[Drawing]:
    chosen, places = source.map
    names, size = [source.facts[c].title for c in chosen], source.clusters.speech.size[chosen]
    caption = (
        f"t-SNE of the centroids of the {len(chosen)} speech clusters of lowest variance, each with its label: "
        "clusters that sound or mean alike lie together."
    )
    return [Drawing("figure-4", "Figure 4", caption, lambda theme: draw_map(places, names, size, theme))]


def _training(source: Source) -> list[Drawing]:
    metrics = read_metrics(source.run.path / "metrics.jsonl")
    if not metrics:
        return []
    caption = "Loss and recall on the validation pairs after each epoch."
    return [Drawing("training", "Training", caption, lambda theme: draw_curves(metrics, theme))]


def _affinity(source: Source) -> list[Drawing]:
    clusters = source.clusters
    names = [f.title for f in source.facts]
    caption = (
        "Affinity between image and speech clusters (Equation 2), over the geometric mean of their sizes, ordered so "
        "that the best one-to-one links lie on the diagonal; several clusters of one word make a block."
    )

    def draw(theme: Theme) -> Figure:
        return draw_affinity(clusters.affinity, clusters.image.size, clusters.speech.size, names, theme)

    return [Drawing("affinity", "Affinity", caption, draw)]
