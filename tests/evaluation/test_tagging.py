"""Precision and recall of tags, on a case worked out by hand and against the definition written out."""

from __future__ import annotations

import numpy as np
import pytest

from avterm.corpus.words import Word
from avterm.evaluation.tagging import Claim, score_tags

WORDS = {
    "one": [Word("red", 0.0, 0.4), Word("house", 0.4, 1.0), Word("the", 1.0, 1.1), Word("house", 1.2, 1.6)],
    "two": [Word("dog", 0.0, 0.5)],
}
TAGS = {
    "one": [
        Claim(0.7, 1.2, "house", 0.9),  # holds exactly half of the first: right
        Claim(1.41, 1.9, "house", 0.8),  # less than half of the second: wrong
        Claim(0.0, 0.8, "red house", 0.6),  # both words, 0.8 of 1.0 s: right, and no word by itself
        Claim(0.0, 0.4, "house", 0.3),  # another word: wrong
    ],
    "two": [Claim(0.0, 0.5, None, 0.7)],  # a cluster without a label: wrong
    "silent": [],
}


def test_by_hand() -> None:
    rows = score_tags(TAGS, WORDS, {"house", "red house", "dog"}, [0.0, 0.65, 0.95], rounds=0)
    assert rows[0] == {
        "min_confidence": 0.0, "recordings": 3, "tags": 5, "right": 2, "spoken": 3, "found": 1,
        "precision": 0.4, "recall": pytest.approx(1 / 3), "f": pytest.approx(2 * 0.4 / 3 / (0.4 + 1 / 3)),
    }  # fmt: skip
    assert (rows[1]["tags"], rows[1]["right"], rows[1]["found"]) == (3, 1, 1)
    assert (rows[2]["tags"], rows[2]["precision"], rows[2]["recall"], rows[2]["f"]) == (0, None, 0.0, None)


def test_one_word_found_twice_counts_once_in_recall() -> None:
    tags = {"two": [Claim(0.0, 0.3, "dog", 0.5), Claim(0.2, 0.5, "dog", 0.9)]}
    [row] = score_tags(tags, WORDS, {"dog"}, [0.0], rounds=0)
    assert (row["right"], row["found"], row["spoken"], row["f"]) == (2, 1, 1, 1.0)


def test_recordings_are_resampled() -> None:
    tags = {str(i): [Claim(0.0, 0.5, "dog" if i % 2 else "cat", 0.9)] for i in range(100)}
    words = {str(i): [Word("dog", 0.0, 0.5)] for i in range(100)}
    [row] = score_tags(tags, words, {"dog"}, [0.5], rounds=300)
    assert row["precision"] == row["recall"] == 0.5
    for name in ("precision_interval", "recall_interval"):
        assert 0.35 < row[name][0] < 0.5 < row[name][1] < 0.65


@pytest.mark.parametrize("seed", range(5))
def test_as_the_definition_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names, labels = ["a", "b", "c"], {"a", "b"}
    words, tags = {}, {}
    for name in "xyz":
        ends = np.sort(rng.random(8)) * 4
        words[name] = [Word(str(rng.choice(names)), a, b) for a, b in zip(ends[::2], ends[1::2], strict=True)]
        starts = rng.random(6) * 4
        tags[name] = [Claim(s, s + rng.random(), str(rng.choice(names)), rng.random()) for s in starts]
    for row in score_tags(tags, words, labels, [0.0, 0.5], rounds=0):
        right = found = spoken = total = 0
        for name in tags:
            kept = [t for t in tags[name] if t.confidence >= row["min_confidence"]]
            total += len(kept)
            hit = set()
            for t in kept:
                over = [
                    i for i, w in enumerate(words[name])
                    if w.word == t.label and min(t.end, w.end) - max(t.start, w.start) >= (w.end - w.start) / 2
                ]  # fmt: skip
                right += bool(over)
                hit |= {i for i in over if words[name][i].word in labels}
            found += len(hit)
            spoken += sum(w.word in labels for w in words[name])
        assert (row["tags"], row["right"], row["spoken"], row["found"]) == (total, right, spoken, found)
