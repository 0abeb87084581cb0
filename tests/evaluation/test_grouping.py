"""Grouping and NED by hand (zerospeech-tde 2.0.3 gives the same), and against a walk through all pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.corpus.words import Word
from avterm.evaluation import grouping
from avterm.evaluation.discovery import PhoneLine
from avterm.evaluation.grouping import Grouping


def phones(text: str, start: float = 0.0) -> list[Word]:
    """A phone of 100 ms for each letter, `_` for silence."""
    edges = [round(start + 0.1 * i, 4) for i in range(len(text) + 1)]
    return [Word("SIL" if c == "_" else c, a, b) for c, a, b in zip(text, edges[:-1], edges[1:], strict=True)]


CAT_DOG, DOG_CAT = phones("_cat__dog_"), phones("dog__cat", 0.05)
HAND = [
    (CAT_DOG, {(0.1, 0.4): 0, (0.6, 0.9): 0, (0.2, 0.4): 1}),  # cat, dog, at
    (DOG_CAT, {(0.55, 0.85): 0, (0.05, 0.35): 1, (0.65, 0.85): 2}),  # cat, dog, at
]


def scores(captions: list[tuple[list[Word], dict[tuple[float, float], int]]]) -> dict[str, float | int | None]:
    found = Grouping()
    for line, fragments in captions:
        found.add(list(fragments), list(fragments.values()), line)
    return found.scores()


def test_by_hand() -> None:
    found = scores(HAND)
    assert found["grouping_precision"] == pytest.approx(2 / 5)  # both cats, of five tokens in clusters of two or more
    assert found["grouping_recall"] == pytest.approx(2 / 6)  # each of cat, dog, at is there twice
    assert found["grouping_f"] == pytest.approx(4 / 11)
    assert found["ned"] == pytest.approx(3 / 4)  # cat cat 0, cat dog 1, cat dog 1, dog at 1
    assert (found["ned_pairs"], found["ned_drawn"]) == (4, 0)


def test_overlapping_fragments_are_no_company() -> None:
    line = phones("_cat_")
    overlapping = scores([(line, {(0.1, 0.4): 0, (0.11, 0.4): 0})])
    assert overlapping["grouping_precision"] == 0.0
    assert overlapping["grouping_recall"] is None
    apart = scores([(phones("_cat__cat_"), {(0.1, 0.4): 0, (0.6, 0.9): 0})])
    assert (apart["grouping_precision"], apart["grouping_recall"]) == (1.0, 1.0)


def test_fragments_of_the_same_phones_are_one_token() -> None:
    captions = [(phones("_cat_"), {(0.1, 0.4): 0, (0.11, 0.4): 1}), (phones("_cat_"), {(0.1, 0.4): 0})]
    assert scores(captions)["grouping_f"] == 1.0  # two tokens of cat


def test_silence_is_no_phone_and_nothing_is_like_nothing() -> None:
    found = scores([(phones("____"), {(0.0, 0.2): 0, (0.2, 0.4): 0}), (phones("a__"), {(0.0, 0.3): 0})])
    assert found["ned"] == 1.0


def test_nothing_found() -> None:
    assert set(scores([]).values()) == {None, 0}
    assert scores([(CAT_DOG, {(5.0, 6.0): 0})])["grouping_precision"] is None


def naive(captions: list[tuple[list[Word], dict[tuple[float, float], int]]]) -> tuple[set, set, set, list[float]]:
    """Tokens in found pairs, in pairs of the same phones, in both; and the distance of every found pair."""
    held = []
    for file, (line, fragments) in enumerate(captions):
        for (start, end), cluster in fragments.items():
            transcribed = PhoneLine(line).transcribe(start, end)
            if transcribed:
                token = (file, transcribed[0].start, transcribed[-1].end)
                held.append((file, start, end, cluster, tuple(p.word for p in transcribed), token))
    found, gold, both, distances = set(), set(), set(), []
    for a, b in combinations(held, 2):
        overlap = a[0] == b[0] and min(a[2], b[2]) > max(a[1], b[1])
        same = a[4] == b[4] and not overlap
        if same:
            gold |= {a[5], b[5]}
        if a[3] == b[3]:
            found |= {a[5], b[5]}
            distances.append(edits([s for s in a[4] if s != "SIL"], [s for s in b[4] if s != "SIL"]))
            if same:
                both |= {a[5], b[5]}
    return found, gold, both, distances


def edits(a: list[str], b: list[str]) -> float:
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    table[:, 0], table[0] = range(len(a) + 1), range(len(b) + 1)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (x != y))
    return table[-1, -1] / max(len(a), len(b)) if a or b else 1.0


fragment = st.tuples(st.integers(0, 9), st.integers(1, 6)).map(lambda t: (t[0] / 10, (t[0] + t[1]) / 10))
caption = st.tuples(
    st.text("ab_", min_size=1, max_size=10).map(phones), st.dictionaries(fragment, st.integers(0, 2), max_size=6)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(caption, max_size=5))
def test_equal_to_a_walk_through_all_pairs(captions: list) -> None:
    found, gold, both, distances = naive(captions)
    counted = scores(captions)
    assert counted["grouping_precision"] == (pytest.approx(len(both) / len(found)) if found else None)
    assert counted["grouping_recall"] == (pytest.approx(len(both) / len(gold)) if gold else None)
    assert counted["ned"] == (pytest.approx(np.mean(distances)) if distances else None)
    assert counted["ned_pairs"] == len(distances)


def test_pairs_are_drawn_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    captions = [(phones("".join(random.choice(list("abc"), 8))), {(0.0, 0.8): i % 3}) for i in range(60)]
    whole = scores(captions)
    monkeypatch.setattr(grouping, "_EXACT", 10)
    monkeypatch.setattr(grouping, "_DRAWN", 20_000)
    drawn = scores(captions)
    assert drawn["ned"] == pytest.approx(whole["ned"], abs=0.01)
    assert (drawn["ned_pairs"], drawn["ned_drawn"]) == (whole["ned_pairs"], 20_000)
    assert scores(captions) == drawn
