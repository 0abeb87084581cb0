"""Speech from text: same bytes for the same seed, and word times that the waveform confirms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.corpus.demo.rules import voices
from avterm.corpus.synthesis import Voice, identifier, languages, synthesise, variants
from avterm.errors import BadInput
from avterm.units import SAMPLE_RATE

ALICE = Voice("alice", "en-us+f2", rate=150)
BOB = Voice("bob", "en-us+m3", rate=150)
CLOSURE = 0.06  # a stop's silence belongs to its word
ECHO = 0.145  # some voices have a faint echo


def sounding(samples: np.ndarray) -> np.ndarray:
    """Times, in seconds, at which there is sound."""
    envelope = np.convolve(np.abs(samples), np.ones(80) / 80, "same")
    return np.flatnonzero(envelope > 0.002) / SAMPLE_RATE


def test_the_same_seed_gives_the_same_samples_whatever_was_spoken_before() -> None:
    first = synthesise("a red lighthouse, by the sea", ALICE, 3)
    synthesise("something else", BOB, 9)
    again = synthesise("a red lighthouse, by the sea", ALICE, 3)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.words == again.words
    other = synthesise("a red lighthouse, by the sea", ALICE, 4)
    assert other.samples.shape != first.samples.shape or not np.array_equal(other.samples, first.samples)


@pytest.mark.parametrize("voice", voices(), ids=lambda v: v.name)
def test_word_times_agree_with_the_silence_between_words(voice: Voice) -> None:
    text = "a lighthouse with another castle over the train"
    spoken = synthesise(text, voice, 1, dict.fromkeys(range(7), 0.4))
    assert [w.word for w in spoken.words] == text.split()
    times = sounding(spoken.samples)
    middles = [(a.end + b.start) / 2 for a, b in zip(spoken.words, spoken.words[1:], strict=False)]
    for word, low, high in zip(spoken.words, [0, *middles], [*middles, np.inf], strict=True):
        own = times[(times >= low) & (times < high)]
        assert word.start - 0.005 <= own[0] <= word.start + CLOSURE
        assert word.end - 0.005 <= own[-1] <= word.end + ECHO


def test_pauses_last_as_long_as_asked() -> None:
    spoken = synthesise("one two three", BOB, 0, {0: 0.5})
    one, two, three = spoken.words
    assert two.start - one.end == pytest.approx(0.5, abs=0.03)
    assert three.start - two.end < 0.05


def test_words_that_the_library_joins_share_their_stretch() -> None:
    words = synthesise("the roof of a house", BOB).words
    assert [w.word for w in words] == ["the", "roof", "of", "a", "house"]
    assert all(a.end <= b.start and a.start < a.end for a, b in itertools.pairwise(words))


@pytest.mark.parametrize("tail", [" .", ".", '" .', ' ".', ' ."', " ( .", " - ."])
def test_punctuation_is_not_read_out(tail: str) -> None:
    plain = synthesise("a ball", BOB).words[-1]
    ended = synthesise(f"a ball{tail}", BOB).words[-1]
    assert ended.word == "ball"
    assert ended.end - ended.start == pytest.approx(plain.end - plain.start, abs=0.03)


@pytest.mark.parametrize(
    ("text", "voice", "words"),
    [
        ("Don't pet the CAT'S t-shirt!", "en", ["don't", "pet", "the", "cat's", "t-shirt"]),
        ("a girl 's dog", "en", ["a", "girl", "s", "dog"]),
        ("12 men & a dog", "en", ["12", "men", "&", "a", "dog"]),
        ("tag <b> or\0 not", "en", ["tag", "b", "or", "not"]),
        ("in the café. It's over.", "en", ["in", "the", "café", "it's", "over"]),
        ("Ein großer Hund läuft.", "de", ["ein", "großer", "hund", "läuft"]),
        ("一只狗, 在草地上。", "cmn", list("一只狗在草地上")),
        ("a 🙂 dog", "en", ["a", "🙂", "dog"]),
    ],
)
def test_words_are_the_tokens_without_their_punctuation(text: str, voice: str, words: list[str]) -> None:
    assert [w.word for w in synthesise(text, Voice("x", voice)).words] == words


@pytest.mark.parametrize("text", ["", " ", "...", "- .", "\n"])
def test_nothing_to_speak_is_named(text: str) -> None:
    with pytest.raises(BadInput, match="nothing to speak"):
        synthesise(text, BOB)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_spoken_or_refused_with_ordered_words(text: str) -> None:
    try:
        spoken = synthesise(text, BOB)
    except BadInput:
        return
    duration = len(spoken.samples) / SAMPLE_RATE
    assert spoken.words
    ends = [time for word in spoken.words for time in (word.start, word.end)]
    assert ends == sorted(ends)
    assert ends[0] >= 0
    assert ends[-1] <= duration + 0.01


def test_languages_are_known_by_code_and_by_plain_name() -> None:
    assert identifier("en-gb+f2") == "gmw/en+f2"
    assert identifier("fr") == identifier("fr-fr")
    assert identifier("EN_us") == "gmw/en-US"
    assert {"en-us", "de", "cmn"} <= set(languages())
    assert {"f1", "m1"} <= set(variants())


@pytest.mark.parametrize(
    ("name", "message"), [("germn", "nearest is 'de'|nearest"), ("en+nobody", "variants"), ("", "language ''")]
)
def test_unknown_voices_are_named(name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        synthesise("a dog", Voice("x", name))
