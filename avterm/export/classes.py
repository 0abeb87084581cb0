"""Term discovery as ZeroSpeech's evaluation (tdev2) reads it: `.class` for what was found, `.wrd` for the truth."""

from __future__ import annotations

from collections.abc import Iterator

from avterm.export.discovered import Discovered
from avterm.export.names import safe_name
from avterm.units import seconds_in


def class_lines(found: Discovered) -> Iterator[str]:
    """`Class N label`, then a line `file onset offset` in seconds for each member, then an empty line, for each class.

    The reader refuses a class without members, so there is none; classes keep their clusters' numbers.
    """
    members: dict[int, list[str]] = {fact.cluster: [] for fact in found.facts}
    for pair, clusters in found.pairs():
        name = found.file_names[pair.id]
        for (first, last), cluster in zip(pair.segment.tolist(), clusters.tolist(), strict=True):
            if cluster >= 0:
                members[cluster].append(f"{name} {seconds_in(first):.2f} {seconds_in(last):.2f}\n")
    for cluster, lines in members.items():
        if lines:
            yield f"Class {cluster} {safe_name(found.title(cluster))}\n"
            yield from lines
            yield "\n"


def word_lines(found: Discovered) -> Iterator[str]:
    """`file onset offset word` for every word of the exported captions; words of no length are left out."""
    for id in found.ids:
        for word in found.source.words.get(id, ()):
            if round(word.end, 4) > round(word.start, 4):
                text = "_".join(word.word.split())
                yield f"{found.file_names[id]} {word.start:.4f} {word.end:.4f} {text}\n"
