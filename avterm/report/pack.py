"""Which pictures and sounds lie in the page: the most central first, a rank at a time, until the budget is spent."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avterm.progress import Progress
from avterm.report.media import Budget, Media, encode_picture, encode_sound, encode_spectrogram
from avterm.report.source import ClusterFacts, Source
from avterm.units import samples_in, seconds_in

PAIR_SHARE = 0.25  # of the budget goes to whole captions
WHOLE_PAIRS = 150
PICTURE_SIZES = ((300, 320, 62), (1500, 224, 52), (10**9, 144, 42))  # up to so many pictures: side, WebP quality

Json = dict[str, Any]


@dataclass
class Packed:
    """What the page holds beside its tables: JSON values, media as base64."""

    pairs: list[Json] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    clips: list[Json] = field(default_factory=list)
    segments: dict[int, list[list[int]]] = field(default_factory=dict)  # speech cluster: [pair, grounding, clip or -1]
    crops: dict[int, list[list[int]]] = field(default_factory=dict)  # image cluster: [pair, grounding]
    left_out: dict[str, int] = field(default_factory=dict)  # kind: how many for want of room


class Packer:
    """Collects media for a page. Pairs, pictures and clips are numbered as they come and stored once."""

    def __init__(self, source: Source, media: Media, budget: Budget, expected_pictures: int) -> None:
        """`expected_pictures` decides how large each may be."""
        self.source, self.media, self.budget = source, media, budget
        self.side, self.quality = next(s[1:] for s in PICTURE_SIZES if expected_pictures <= s[0])
        self.packed = Packed()
        self._pairs: dict[str, int] = {}
        self._pictures: dict[str, int] = {}
        self._clips: dict[int, int] = {}
        self._full = False  # once something did not fit, nothing more is decoded
        self._image = source.clusters.image.assignment
        self._speech = source.clusters.speech.assignment

    def pair(self, row: int) -> int | None:
        """The page's number of the pair that a grounding belongs to; None where there is no more room."""
        groundings = self.source.groundings.of_row(row)
        if groundings.id in self._pairs:
            return self._pairs[groundings.id]
        pair = self.source.run.corpus[groundings.id]
        rows = groundings.first + np.arange(len(groundings))
        labels = self.source.labels_of(rows)
        value: Json = {
            "id": pair.id,
            "size": list(groundings.size),
            "frames": groundings.frames,
            "first": groundings.first,
            "groundings": [
                [
                    [round(float(v), 3) for v in groundings.box[i]],
                    groundings.segment[i].tolist(),
                    round(float(groundings.score[i]), 3),
                    int(self._speech[row]),
                    int(self._image[row]),
                    labels[i],
                ]
                for i, row in enumerate(rows.tolist())
            ],
        }
        if pair.speaker is not None:
            value["speaker"] = pair.speaker
        if self._full or not self.budget.take(json.dumps(value).encode("ascii")):
            return None
        number = self._pairs[pair.id] = len(self.packed.pairs)
        self.packed.pairs.append(value)
        return number

    def picture(self, number: int) -> bool:
        """Put the pair's picture in the page; False where it is missing or no longer fits."""
        value = self.packed.pairs[number]
        if "picture" in value:
            return bool(value["picture"] >= 0)
        pair = self.source.run.corpus[value["id"]]
        if pair.image not in self._pictures:
            if self._full:
                return self.lost("pictures")
            picture = self.media.picture(pair)
            place = -1
            if picture is not None:
                data = encode_picture(picture, self.side, self.quality)
                if not self.budget.take(data):
                    return self.lost("pictures")
                place = len(self.packed.pictures)
                self.packed.pictures.append(_text(data))
            self._pictures[pair.image] = place
        value["picture"] = self._pictures[pair.image]
        return bool(value["picture"] >= 0)

    def clip(self, row: int, number: int) -> int:
        """The page's number of a segment's sound and spectrogram; -1: there is none, or the whole caption is in."""
        if row in self._clips:
            return self._clips[row]
        value = self.packed.pairs[number]
        place = -1
        if "sound" not in value and "spectrogram" not in value:
            start, stop = value["groundings"][row - value["first"]][1]
            made = {} if self._full else self._clip(value["id"], start, stop)
            if self._full or (made and not self.budget.take(*made.values())):
                self.lost("segments")
            elif made:
                place = len(self.packed.clips)
                self.packed.clips.append({kind: _text(data) for kind, data in made.items()})
        self._clips[row] = place
        return place

    def whole(self, number: int) -> bool:
        """Put the whole caption of a pair in the page: sound, spectrogram, words, text; False where it does not fit."""
        value = self.packed.pairs[number]
        pair = self.source.run.corpus[value["id"]]
        made = self._clip(pair.id, 0, value["frames"])
        said: Json = {} if pair.text is None else {"text": pair.text}
        words = self.source.words.get(pair.id, [])
        if words:
            said["words"] = [[w.word, round(w.start, 2), round(w.end, 2)] for w in words]
        if not self.budget.take(json.dumps(said).encode("ascii"), *made.values()):
            return False
        value |= {kind: _text(data) for kind, data in made.items()} | said
        return True

    def _clip(self, id: str, start: int, stop: int) -> dict[str, bytes]:
        pair = self.source.run.corpus[id]
        made: dict[str, bytes] = {}
        sound, mel = self.media.sound(pair), self.media.mel(pair)
        if sound is not None:
            part = sound[samples_in(seconds_in(start)) : samples_in(seconds_in(stop))]
            if len(part):
                made["sound"] = encode_sound(part)
        if mel is not None and len(mel[start:stop]):
            made["spectrogram"] = encode_spectrogram(mel[start:stop])
        return made

    def lost(self, kind: str) -> bool:
        """Count one `kind` that found no room; False."""
        self._full = True
        self.packed.left_out[kind] = self.packed.left_out.get(kind, 0) + 1
        return False


def pack(
    source: Source,
    media: Media,
    listed: Sequence[ClusterFacts],
    whole: Sequence[str],
    members: int,
    budget: Budget,
    progress: Progress,
) -> Packed:
    """Fill the page's media: the whole captions of the pairs `whole` first, up to a share of the budget, then, rank by
    rank, the `members` most central segments and crops of the `listed` clusters and of their image clusters."""
    packer = Packer(source, media, budget, 2 * len(listed) * members)
    images = list(dict.fromkeys(f.image_cluster for f in listed))
    floor = budget.left * (1 - PAIR_SHARE)
    with progress.step("media", len(whole) + members, "steps") as step:
        for id in whole:
            number = packer.pair(source.groundings.of_pair(id).first)
            if number is not None and budget.left > floor and packer.whole(number):
                packer.picture(number)
            step.advance()
        speech_rows = {f.cluster: _known(source, source.members(f.cluster, members)) for f in listed}
        image_rows = {c: _one_a_picture(source, c, members) for c in images}
        for rank in range(members):
            waiting = set(images)
            for fact in listed:
                _add_segment(packer, fact.cluster, speech_rows[fact.cluster], rank)
                if fact.image_cluster in waiting:
                    waiting.remove(fact.image_cluster)
                    _add_crop(packer, fact.image_cluster, image_rows[fact.image_cluster], rank)
            step.advance()
    for value in packer.packed.pairs:
        del value["first"]
    return packer.packed


def whole_pairs(source: Source, listed: Sequence[ClusterFacts], telling: Sequence[str]) -> list[str]:
    """Ids of the pairs worth showing whole: those that tell most, then the most central pair of each cluster."""
    central = [source.members(f.cluster, 1) for f in listed]
    rows = np.array([int(r[0]) for r in central if len(r)], np.int64)
    ids = source.groundings.ids
    found = [*telling, *(ids[int(i)] for i in source.groundings.pair_of(rows))]
    return [id for id in dict.fromkeys(found) if source.pair(id) is not None][:WHOLE_PAIRS]


def _known(source: Source, rows: np.ndarray) -> list[int]:
    """Rows whose pair the corpus still has."""
    return [row for row in rows.tolist() if source.pair_of_row(row) is not None]


def _one_a_picture(source: Source, image_cluster: int, count: int) -> list[int]:
    rows: dict[str, int] = {}
    for row in source.clusters.image.members(image_cluster, 8 * count).tolist():
        pair = source.pair_of_row(row)
        if pair is not None:
            rows.setdefault(pair.image, row)
        if len(rows) == count:
            break
    return list(rows.values())


def _add_crop(packer: Packer, cluster: int, rows: list[int], rank: int) -> None:
    if rank >= len(rows):
        return
    number = packer.pair(rows[rank])
    if number is None:
        packer.lost("pictures")
    elif packer.picture(number):
        grounding = rows[rank] - packer.packed.pairs[number]["first"]
        packer.packed.crops.setdefault(cluster, []).append([number, grounding])


def _add_segment(packer: Packer, cluster: int, rows: list[int], rank: int) -> None:
    if rank >= len(rows):
        return
    number = packer.pair(rows[rank])
    if number is None:
        packer.lost("segments")
        return
    clip = packer.clip(rows[rank], number)
    value = packer.packed.pairs[number]
    if clip >= 0 or "sound" in value or "spectrogram" in value:
        grounding = rows[rank] - value["first"]
        packer.packed.segments.setdefault(cluster, []).append([number, grounding, clip])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
