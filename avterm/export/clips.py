"""A folder a cluster, with the sounds of its most central segments and the crops that they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from avterm.corpus.manifest import Pair
from avterm.errors import AvtermError, Problem
from avterm.export.discovered import Discovered
from avterm.export.names import safe_name
from avterm.progress import Progress
from avterm.speech.audio import read_audio
from avterm.store.atomic import replacing
from avterm.store.groundings import PairGroundings
from avterm.units import SAMPLE_RATE, samples_in, seconds_in
from avterm.vision.pictures import read_picture

_QUALITY = 90


def write_clips(found: Discovered, folder: Path, members: int, progress: Progress) -> int:
    """Write `NNNN-name/RRR-pair.wav` and `.jpg` for the `members` most central segments of each cluster (0: for all).

    RRR counts from the centre outwards. Every recording and picture is read once. A pair whose files cannot be read is
    a problem and left out. Returns how many files were written.
    """
    places = _places(found, members)
    chosen: dict[str, list[int]] = {}
    for row in sorted(places):
        chosen.setdefault(found.groundings.ids[int(found.groundings.pair_of(np.asarray(row)))], []).append(row)
    written = 0
    with progress.step("clips", len(chosen)) as step:
        for id in (id for id in found.ids if id in chosen):
            pair, about = found.groundings.of_pair(id), found.source.pair(id)
            if about is None:
                progress.problem(Problem(id, "missing", "not in the corpus any more"))
            else:
                stems = {row: folder / places[row] for row in chosen[id]}
                written += _sounds(found, about, pair, stems, progress) + _crops(found, about, pair, stems, progress)
            step.advance()
    return written


def _places(found: Discovered, members: int) -> dict[int, str]:
    """{row: path in the folder, without its ending} of every member that is cut out."""
    only = set(found.ids)
    places: dict[int, str] = {}
    for fact in found.facts:
        title = safe_name(found.title(fact.cluster))[:60]
        rank = 0
        for row in found.source.members(fact.cluster).tolist():
            id = found.groundings.ids[int(found.groundings.pair_of(np.asarray(row)))]
            if id in only:
                rank += 1
                places[row] = f"{fact.cluster:04d}-{title}/{rank:03d}-{found.file_names[id]}"
            if members and rank >= members:
                break
    return places


def _sounds(found: Discovered, about: Pair, pair: PairGroundings, stems: dict[int, Path], progress: Progress) -> int:
    try:
        sound = read_audio(found.run.corpus.speech_path(about))
    except AvtermError as error:
        progress.problem(Problem(pair.id, "sound", str(error)))
        return 0
    for row, stem in stems.items():
        first, last = (samples_in(seconds_in(int(frame))) for frame in pair.segment[row - pair.first])
        with replacing(stem.with_name(f"{stem.name}.wav"), sync=False) as temporary:
            soundfile.write(temporary, sound[first:last], SAMPLE_RATE, subtype="PCM_16", format="WAV")
    return len(stems)


def _crops(found: Discovered, about: Pair, pair: PairGroundings, stems: dict[int, Path], progress: Progress) -> int:
    try:
        picture = read_picture(found.run.corpus.image_path(about))
    except AvtermError as error:
        progress.problem(Problem(pair.id, "picture", str(error)))
        return 0
    height, width = picture.shape[:2]
    whole = np.clip(np.rint(pair.box * [width, height, width, height]).astype(int), 0, [width, height, width, height])
    for row, stem in stems.items():
        x0, y0, x1, y1 = whole[row - pair.first].tolist()
        x0, y0 = min(x0, width - 1), min(y0, height - 1)
        crop = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
        with replacing(stem.with_name(f"{stem.name}.jpg"), sync=False) as temporary:
            Image.fromarray(crop).save(temporary, format="JPEG", quality=_QUALITY)
    return len(stems)
