"""Scores of term discovery on cases worked out by hand from tdev2's definitions."""

from __future__ import annotations

import pytest

from avterm.corpus.words import Word
from avterm.evaluation.discovery import TermDiscovery, letters, with_silence

# "cat sat", phones of 100 ms, silence before, between and after
PHONES = [
    Word("SIL", 0.0, 0.5),
    *(Word(p, 0.5 + 0.1 * i, 0.6 + 0.1 * i) for i, p in enumerate("kat")),
    Word("SIL", 0.8, 1.0),
    *(Word(p, 1.0 + 0.1 * i, 1.1 + 0.1 * i) for i, p in enumerate("sat")),
    Word("SIL", 1.3, 2.0),
]
PHONES = [Word(p.word, round(p.start, 2), round(p.end, 2)) for p in PHONES]
WORDS = [Word("cat", 0.5, 0.8), Word("sat", 1.0, 1.3)]


def scores(*fragments: tuple[float, float]) -> dict[str, float | None]:
    terms = TermDiscovery()
    terms.add(fragments, PHONES, WORDS)
    return terms.scores()


def test_exact_words() -> None:
    found = scores((0.5, 0.8), (1.0, 1.3))
    assert set(found.values()) == {1.0}


def test_borders_within_thirty_milliseconds_of_a_phone_do_not_count() -> None:
    assert scores((0.48, 0.82))["token_precision"] == 1.0  # 20 ms of silence at each end are dropped
    assert scores((0.47, 0.8))["token_precision"] == 0.0  # 30 ms of silence are held
    assert scores((0.57, 0.8))["token_precision"] == 1.0  # 30 ms of k are enough
    assert scores((0.58, 0.8))["token_precision"] == 0.0


def test_half_of_a_short_phone_is_enough() -> None:
    phones = [Word("SIL", 0.0, 1.0), Word("t", 1.0, 1.04), Word("a", 1.04, 1.2), Word("SIL", 1.2, 2.0)]
    for start, hit in ((1.02, 1), (1.03, 0)):
        counts = TermDiscovery().add([(start, 1.2)], phones, [Word("ta", 1.0, 1.2)])
        assert counts.token_hits == hit


def test_a_fragment_that_holds_no_phone_does_not_count() -> None:
    inside = (0.51, 0.53)  # 20 ms of k are not enough
    assert scores(inside, (0.5, 0.8)) == scores((0.5, 0.8))
    assert scores(inside)["token_precision"] is None
    assert scores((0.51, 0.55))["token_precision"] == 0.0


def test_parts_of_words() -> None:
    found = scores((0.6, 1.1))  # a t SIL s
    assert found["boundary_precision"] == 0.0
    assert found["token_precision"] == 0.0
    assert found["type_precision"] == 0.0
    assert found["phone_coverage"] == pytest.approx(3 / 6)
    found = scores((0.5, 1.3))  # starts and ends right, but is no word
    assert found["boundary_precision"] == 1.0
    assert found["boundary_recall"] == 0.5
    assert found["token_recall"] == 0.0


def test_the_same_twice_counts_once() -> None:
    assert scores((0.5, 0.8), (0.5, 0.8)) == scores((0.5, 0.8))
    found = scores((0.5, 0.8), (0.51, 0.8))  # two fragments, one word
    assert (found["token_precision"], found["token_recall"]) == (0.5, 0.5)
    assert (found["type_precision"], found["type_recall"]) == (1.0, 0.5)
    assert found["token_f"] == 0.5


def test_an_end_is_not_a_start() -> None:
    found = scores((0.8, 1.0))  # silence: starts where a word ends, ends where one starts
    assert (found["boundary_precision"], found["phone_coverage"]) == (0.0, 0.0)


def test_adjacent_words_share_a_boundary() -> None:
    phones = [Word("a", 0.0, 0.1), Word("b", 0.1, 0.2)]
    words = [Word("a", 0.0, 0.1), Word("b", 0.1, 0.2)]
    counts = TermDiscovery().add([(0.0, 0.1), (0.1, 0.2)], phones, words)
    assert (counts.boundary_hits, counts.boundaries_found, counts.boundaries_true) == (3, 3, 3)


def test_nothing_found_and_nothing_true() -> None:
    assert scores()["token_precision"] is None
    assert scores()["token_recall"] == 0.0
    assert scores((5.0, 6.0))["boundary_precision"] is None  # overlaps no phone
    empty = TermDiscovery()
    empty.add([], [], [])
    assert set(empty.scores().values()) == {None}


def test_letters_stand_in_for_phones() -> None:
    found = letters([Word("ab", 0.1, 0.3), Word("c", 0.25, 0.5), Word("d", 0.4, 0.45)], 1.0)
    assert [(p.word, round(p.start, 2), round(p.end, 2)) for p in found] == [
        ("SIL", 0.0, 0.1), ("a", 0.1, 0.2), ("b", 0.2, 0.3), ("c", 0.3, 0.5), ("SIL", 0.5, 1.0),
    ]  # fmt: skip
    assert letters([], 0.0) == []
    assert with_silence([Word("k", 0.5, 0.6), Word("a", 0.55, 0.7)], 0.7) == [
        Word("SIL", 0.0, 0.5), Word("k", 0.5, 0.6), Word("a", 0.6, 0.7),
    ]  # fmt: skip
