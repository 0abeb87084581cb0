"""Boundary, token, type and coverage scores of term discovery, as ZeroSpeech's evaluation tdev2 defines them.

A fragment is transcribed in phones: all that it overlaps, less its first or last one where it holds less than 30 ms of
it (of a phone under 60 ms: less than half). Its edges are those of the phones that are left; a fragment of which none
is left does not count.

boundary   starts and ends of fragments that are starts and ends of words
token      fragments whose phones are exactly those of the word that they overlap most; each word counts once
type       the same, of distinct strings of phones and distinct words
coverage   phones that some fragment holds, silence aside

Where phones are not known, a word's letters, spread evenly over it, stand in for them (`letters`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from avterm.corpus.words import Word

SILENCES = frozenset({"SIL", "SPN"})
Fragment = tuple[float, float]
_LONG, _ENOUGH = 0.060, 0.030  # seconds


@dataclass(frozen=True)
class FileCounts:
    """What one caption adds to each score."""

    boundary_hits: int
    boundaries_found: int
    boundaries_true: int
    token_hits: int
    tokens_found: int
    tokens_true: int
    phones_covered: int
    phones_true: int


COUNTS = tuple(f.name for f in fields(FileCounts))


class TermDiscovery:
    """Scores gathered caption by caption."""

    def __init__(self) -> None:
        """Nothing found yet."""
        self._types_found: set[tuple[str, ...]] = set()
        self._types_hit: set[tuple[str, ...]] = set()
        self._types_true: set[str] = set()
        self._total = np.zeros(len(COUNTS), np.int64)

    def add(self, fragments: Iterable[Fragment], phones: Sequence[Word], words: Sequence[Word]) -> FileCounts:
        """Count one caption. fragments: (start, end) in seconds, the same one twice counts once; phones: everything in
        the caption, silence as SIL, in order and without overlap; words: without silence."""
        words = [w for w in words if w.end > w.start]
        line = PhoneLine(phones)
        transcribed = [(fragment, line.transcribe(*fragment)) for fragment in sorted(set(fragments))]
        transcribed = [(fragment, held) for fragment, held in transcribed if held]
        spoken = [held for _, held in transcribed]
        hits, found, true = _boundaries(spoken, words)
        self._types_found |= {tuple(p.word for p in s) for s in spoken}
        self._types_true |= {w.word for w in words}
        seen: set[Word] = set()
        for fragment, transcription in transcribed:
            word = _most_overlapped(fragment, words)
            symbols = tuple(p.word for p in transcription)
            if word is not None and symbols == tuple(p.word for p in line.overlapping(word.start, word.end)):
                seen.add(word)
                self._types_hit.add(symbols)
        covered = {(p.start, p.end, p.word) for s in spoken for p in s if p.word not in SILENCES}
        voiced = sum(p.word not in SILENCES for p in phones)
        counts = FileCounts(hits, found, true, len(seen), len(transcribed), len(words), len(covered), voiced)
        self._total += [getattr(counts, name) for name in COUNTS]
        return counts

    def scores(self) -> dict[str, float | None]:
        """Precision, recall and F of boundaries, tokens and types, and coverage; None for a share of nothing."""
        total = dict(zip(COUNTS, self._total.tolist(), strict=True))
        types = (len(self._types_hit), len(self._types_found), len(self._types_true))
        found: dict[str, float | None] = {}
        for name, (hits, of, true) in {
            "boundary": (total["boundary_hits"], total["boundaries_found"], total["boundaries_true"]),
            "token": (total["token_hits"], total["tokens_found"], total["tokens_true"]),
            "type": types,
        }.items():
            found[f"{name}_precision"] = hits / of if of else None
            found[f"{name}_recall"] = hits / true if true else None
            found[f"{name}_f"] = 2 * hits / (of + true) if of and true else None
        found["phone_coverage"] = total["phones_covered"] / total["phones_true"] if total["phones_true"] else None
        return found


def letters(words: Sequence[Word], end: float) -> list[Word]:
    """Stand-ins for phones: each word's letters spread evenly over it, and SIL over every gap up to `end` seconds.

    A word that begins before the last one ended begins where that ended.
    """
    found: list[Word] = []
    now = 0.0
    for word in words:
        start = max(word.start, now)
        if word.end <= start:
            continue
        if start > now:
            found.append(Word("SIL", now, start))
        edges = np.linspace(start, word.end, len(word.word) + 1).tolist()
        edges[-1] = word.end
        found += [Word(c, a, b) for c, a, b in zip(word.word, edges[:-1], edges[1:], strict=True)]
        now = word.end
    if end > now:
        found.append(Word("SIL", now, end))
    return found


def with_silence(phones: Sequence[Word], end: float) -> list[Word]:
    """`phones`, in order, with SIL over every gap up to `end` seconds; what an earlier one covers is cut off."""
    return list(_filled(phones, end))


def _filled(phones: Sequence[Word], end: float) -> Iterator[Word]:
    now = 0.0
    for phone in phones:
        start = max(phone.start, now)
        if phone.end <= start:
            continue
        if start > now:
            yield Word("SIL", now, start)
        yield phone if start == phone.start else Word(phone.word, start, phone.end)
        now = phone.end
    if end > now:
        yield Word("SIL", now, end)


class PhoneLine:
    """The phones of a caption, in order and without overlap, searched by time."""

    def __init__(self, phones: Sequence[Word]) -> None:
        """phones: silence as SIL."""
        self._phones = list(phones)
        self._starts = [p.start for p in phones]
        self._ends = [p.end for p in phones]

    def overlapping(self, start: float, end: float) -> list[Word]:
        """All phones of which some part lies in (start, end) seconds."""
        return self._phones[bisect_right(self._ends, start) : bisect_left(self._starts, end)]

    def transcribe(self, start: float, end: float) -> list[Word]:
        """The phones that a fragment holds, by the rule of the module's description."""
        held = self.overlapping(start, end)
        if not held:
            return []
        first, last = held[0], held[-1]
        kept = [first] if _holds(first, start, end) else []
        kept += held[1:-1]
        if len(held) > 1 and _holds(last, start, end):
            kept.append(last)
        return kept


def _holds(phone: Word, start: float, end: float) -> bool:
    lasts = round(phone.end - phone.start, 3)
    both = min(end, phone.end) - max(start, phone.start)
    if lasts >= _LONG:
        return round(both, 3) >= _ENOUGH
    return both / (phone.end - phone.start) >= 0.5


def _boundaries(spoken: Sequence[Sequence[Word]], words: Sequence[Word]) -> tuple[int, int, int]:
    """Hits, found, true. A moment that is both a start and an end is one boundary."""
    starts, ends = {s[0].start for s in spoken}, {s[-1].end for s in spoken}
    true_starts, true_ends = {w.start for w in words}, {w.end for w in words}
    hits = (starts & true_starts) | (ends & true_ends)
    return len(hits), len(starts | ends), len(true_starts | true_ends)


def _most_overlapped(fragment: Fragment, words: Sequence[Word]) -> Word | None:
    """The word with the largest share of itself inside the fragment; the earliest in a tie."""
    best, most = None, 0.0
    for word in words:
        both = min(fragment[1], word.end) - max(fragment[0], word.start)
        if both > 0 and both / (word.end - word.start) > most:
            best, most = word, both / (word.end - word.start)
    return best
