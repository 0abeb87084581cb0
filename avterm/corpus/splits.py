"""Which pairs train and which are held out: drawn by picture, never by caption, so that no picture is on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from avterm.corpus.manifest import Pair
from avterm.errors import UsageError


def draw_splits(
    pairs: Sequence[Pair], val: float, test: float = 0.0, seed: int = 1, by_speaker: bool = False
) -> list[Pair]:
    """The same pairs with new splits; `val` and `test` are shares (below 1) or numbers of pictures, at least one each.

    by_speaker: whole speakers are held out as well. Pictures and speakers that are tied together by captions stay
    together: connected groups are drawn until the share is reached. UsageError where that leaves a side empty.
    """
    group_of = _groups(pairs, by_speaker)
    images: dict[str, set[str]] = {}
    for pair in pairs:
        images.setdefault(group_of[pair.image], set()).add(pair.image)
    total = sum(map(len, images.values()))
    order = sorted(images)
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda g: len(images[g]) > total / 2)  # what holds most of the corpus can only train
    chosen: dict[str, str] = {}
    for name, size in (("test", test), ("val", val)):
        wanted = max(1, round(size * total)) if 0 < size < 1 else int(size)
        count = 0
        for group in order:
            if count >= wanted:
                break
            if group not in chosen:
                chosen[group] = name
                count += len(images[group])
    if len(chosen) >= len(order):
        reason = "speakers are tied together by the pictures they share" if by_speaker else "there are too few pictures"
        raise UsageError(
            f"no pair would be left to train on: {reason}; hold out less, or draw without --speaker-disjoint"
        )
    return [replace(p, split=chosen.get(group_of[p.image], "train")) for p in pairs]


def _groups(pairs: Sequence[Pair], by_speaker: bool) -> dict[str, str]:
    """A name for each picture's group: pictures that share a speaker belong together where `by_speaker`."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for pair in pairs:
        one = root(f"i{pair.image}")
        if by_speaker and pair.speaker:
            parent[root(f"s{pair.speaker}")] = one
    return {pair.image: root(f"i{pair.image}") for pair in pairs}
