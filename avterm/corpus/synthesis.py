"""Speech from text by libespeak-ng, with the time of every word from the synthesiser's own events.

The library keeps hidden state (phases, flutter, a random generator) from one utterance to the next, and offers no way
to reset it. It is therefore loaded afresh for every utterance, about 2 ms, so that the same text, voice and seed give
the same samples whatever was spoken before.
"""

from __future__ import annotations

import _ctypes
import ctypes
import difflib
import html
import os
import re
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import espeakng_loader
import numpy as np
import soxr

from avterm.corpus.words import Word
from avterm.errors import AvtermError, BadInput
from avterm.units import SAMPLE_RATE

_SYNCHRONOUS = 2
_PHONEME_EVENTS, _AS_IPA, _KEEP_PROCESS = 0x1, 0x2, 0x8000
_RATE, _PITCH, _RANGE, _GAP = 1, 3, 4, 7
_UTF8, _SSML, _END_PAUSE = 0x1, 0x10, 0x1000
_END_OF_LIST, _WORD, _END, _PHONEME = 0, 1, 5, 7
_TOKEN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\s\u3400-\u4dbf\u4e00-\u9fff]+")
_STOP = re.compile(r"([^\w\s.,;:!?…]+)(\s*)\.(?=\s|$)")
_CLITIC = re.compile(r"['’](s|t|d|m|re|ve|ll)|n['’]t")
_PUNCTUATION = "\"'“”‘’«»„‹›()[]{}<>.,;:!?…¿¡—–-_*/\\|·`´。、！？「」『』"

# one utterance at a time: the library is not made for threads
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Voice:
    """How to speak. `espeak` is the library's name of a language with an optional variant, as in `en-gb+f2`.

    `rate` is in words a minute (80 to 450), `pitch` and `range` go from 0 to 99, `gap` is the pause between words in
    units of 10 ms at the library's middle rate.
    """

    name: str
    espeak: str
    rate: int = 165
    pitch: int = 50
    range: int = 50
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Utterance:
    """Mono sound at 16 kHz, float32 of shape (samples,) in [-1, 1], and the time of each word in it."""

    samples: np.ndarray
    words: tuple[Word, ...] = field(default_factory=tuple)


def synthesise(text: str, voice: Voice, seed: int = 0, pauses: Mapping[int, float] | None = None) -> Utterance:
    """Speak `text`; `pauses` gives seconds of silence after a token by its index.

    Tokens are parted by white space, and every Chinese character is one. Words come back in lower case without the
    punctuation around them. A token that the library joins to the one before it ("of a") shares its stretch: the
    border is the phoneme border nearest to where the letters put it.

    Raises BadInput where the voice is not known or nothing in `text` can be spoken.
    """
    tokens = _TOKEN.findall(_spoken(text))
    markup, starts = _markup(_spoken(text), pauses or {})
    name = identifier(voice.espeak)
    if not any(_plain(token) for token in tokens):
        raise BadInput(f"{text!r}: nothing to speak here")
    with _LOCK, _library() as (library, rate):
        sound, events = _speak(library, markup, name, voice, seed)
    if not len(sound) or not any(event.type == _WORD for event in events):
        raise BadInput(f"{text!r}: voice {voice.espeak!r} found nothing to speak here")
    words = _words(tokens, _named(markup, tokens, starts, events), rate)
    samples = soxr.resample(sound.astype(np.float32) / 32768, rate, SAMPLE_RATE, quality="HQ")
    return Utterance(samples.astype(np.float32), words)


def languages() -> list[str]:
    """The names of the languages and accents that the library can speak, sorted."""
    return sorted({code for code, _ in _catalogue()})


def variants() -> list[str]:
    """The voices that any language can be spoken with, as in `f2` or `m3`, sorted."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return sorted(path.name for path in folder.iterdir())


@cache
def identifier(name: str) -> str:
    """The library's own name of a language with an optional variant (`en-gb+f2`); BadInput where it has none.

    A language is known by its code (`fr-be`, `en-gb`) or by its plain form (`fr`, `en`).
    """
    language, plus, variant = name.partition("+")
    wanted = language.lower().replace("_", "-")
    by_code = {code.lower(): found for code, found in _catalogue()}
    by_file = {found.rpartition("/")[2].lower(): found for _, found in _catalogue()}
    found = by_code.get(wanted) or by_file.get(wanted)
    if found is None:
        near = difflib.get_close_matches(wanted, [*by_code, *by_file], 1, 0.0)
        raise BadInput(f"language {language!r} is not one of the synthesiser's; the nearest is {near[0]!r}")
    if plus and variant not in variants():
        raise BadInput(f"voice {name!r}: expected one of the variants {', '.join(variants()[-20:])} …")
    return found + plus + variant


@cache
def _catalogue() -> tuple[tuple[str, str], ...]:
    """(code, identifier) of every language of the library."""
    with _LOCK, _library() as (library, _):
        listed = library.espeak_ListVoices(None)
        found = []
        position = 0
        while listed[position]:
            voice = listed[position].contents
            # the first byte of the languages is a priority
            found.append((voice.languages[1:].decode("utf-8", "replace"), voice.identifier.decode("utf-8", "replace")))
            position += 1
    return tuple(found)


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _RawEvent(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


class _RawVoice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_RawEvent))


@dataclass(frozen=True, slots=True)
class _Event:
    type: int
    position: int  # in the markup, in characters, from 0
    sample: int
    sounding: bool  # of a phoneme: not a pause


def _spoken(text: str) -> str:
    """`text` as the library reads it right: no control characters, and a full stop before a quote or bracket that ends
    its sentence, not after it, where it is read out ("dot")."""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    return _STOP.sub(r".\1\2", clean)


def _markup(text: str, pauses: Mapping[int, float]) -> tuple[str, list[int]]:
    """The SSML of `text`, and where each of its tokens starts in it, in characters."""
    markup, starts, end = "<speak>", [], 0
    for index, match in enumerate(_TOKEN.finditer(text)):
        # punctuation that stands alone is read out ("dot") and an 's is spelt; right after a word they are not
        joins = index > 0 and (not _plain(match[0]) or _CLITIC.fullmatch(match[0].lower()))
        markup += "" if joins else text[end : match.start()]
        starts.append(len(markup))
        markup += html.escape(match[0], quote=False)
        end = match.end()
        if pauses.get(index, 0.0) > 0:
            markup += f' <break time="{round(pauses[index] * 1000)}ms"/> '
    return markup + "</speak>", starts


@contextmanager
def _library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library, freshly loaded and initialised, and its sampling rate; unloaded at the end."""
    path = espeakng_loader.get_library_path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise AvtermError(f"{path}: the speech synthesiser could not be loaded: {error}") from None
    try:
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_RawVoice))
        library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        options = _PHONEME_EVENTS | _AS_IPA | _KEEP_PROCESS
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(espeakng_loader.get_data_path()), options)
        if rate <= 0:
            raise AvtermError(f"{espeakng_loader.get_data_path()}: the speech synthesiser's data could not be read")
        yield library, rate
        library.espeak_Terminate()
    finally:
        if os.name == "nt":
            _ctypes.FreeLibrary(library._handle)  # type: ignore[attr-defined, unused-ignore]
        else:
            _ctypes.dlclose(library._handle)


def _speak(library: ctypes.CDLL, markup: str, name: str, voice: Voice, seed: int) -> tuple[np.ndarray, list[_Event]]:
    """The int16 samples and events of one utterance."""
    if library.espeak_SetVoiceByName(name.encode("utf-8")) != 0:
        raise BadInput(f"voice {name!r} could not be loaded by the synthesiser")
    for parameter, value in ((_RATE, voice.rate), (_PITCH, voice.pitch), (_RANGE, voice.range), (_GAP, voice.gap)):
        library.espeak_SetParameter(parameter, int(value), 0)
    library.espeak_ng_SetRandSeed(seed % 2**31)
    sound: list[bytes] = []
    events: list[_Event] = []

    def receive(wave: ctypes.Array, count: int, raw: ctypes.Array) -> int:
        if wave and count > 0:
            sound.append(ctypes.string_at(wave, 2 * count))
        index = 0
        while raw[index].type != _END_OF_LIST:
            event = raw[index]
            sounding = event.type == _PHONEME and event.id.string != b""
            events.append(_Event(event.type, event.text_position - 1, event.sample, sounding))
            index += 1
        return 0

    callback = _Callback(receive)
    library.espeak_SetSynthCallback(callback)
    data = markup.encode("utf-8", "replace")
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | _SSML | _END_PAUSE, None, None)
    return np.frombuffer(b"".join(sound), np.int16), events


@dataclass(slots=True)
class _Stretch:
    """The sound of one token, or of several that the library joined."""

    token: int
    start: int
    end: int
    phonemes: list[int]


def _words(tokens: Sequence[str], events: Sequence[tuple[_Event, int]], rate: int) -> tuple[Word, ...]:
    stretches = _stretches(events)
    words: list[Word] = []
    for stretch, following in zip(stretches, [*stretches[1:], None], strict=True):
        limit = following.token if following else len(tokens)
        named = [(_plain(tokens[i]), i) for i in range(stretch.token, limit)]
        group = [(word or tokens[i]) for word, i in named if word or i == stretch.token]
        borders = _borders(group, stretch)
        for word, start, end in zip(group, borders, borders[1:], strict=False):
            words.append(Word(word, round(start / rate, 4), round(end / rate, 4)))
    return tuple(words)


def _named(
    markup: str, tokens: Sequence[str], starts: Sequence[int], events: Sequence[_Event]
) -> list[tuple[_Event, int]]:
    """Each event with the token that it means.

    Punctuation alone is never spoken: its events belong to the token before. An event that points at a blank means
    the token after it if that has no event of its own ("it's"), else the one before it (an emoji, which is read out
    as several words).
    """
    numbers = [max(int(np.searchsorted(starts, event.position, side="right")) - 1, 0) for event in events]
    at_blank = [markup[event.position : event.position + 1].isspace() for event in events]
    own = {n for n, blank, event in zip(numbers, at_blank, events, strict=True) if event.type == _WORD and not blank}
    named = []
    for event, number, blank in zip(events, numbers, at_blank, strict=True):
        after = number + 1
        if blank and after < len(tokens) and after not in own and _plain(tokens[after]):
            number = after
        while number > 0 and not _plain(tokens[number]):
            number -= 1
        named.append((event, number))
    return named


def _stretches(events: Sequence[tuple[_Event, int]]) -> list[_Stretch]:
    """Each token's first word event opens its stretch; the pause after its last phoneme, or the next token, ends it."""
    stretches: list[_Stretch] = []
    paused: int | None = None
    for event, token in events:
        if event.type == _WORD:
            if stretches and token <= stretches[-1].token:
                continue
            if stretches:
                stretches[-1].end = paused if paused is not None else event.sample
            stretches.append(_Stretch(token, event.sample, event.sample, []))
            paused = None
        elif event.type == _PHONEME and event.sounding and stretches:
            stretches[-1].phonemes.append(event.sample)
            paused = None
        elif event.type in (_PHONEME, _END) and stretches and stretches[-1].phonemes and paused is None:
            paused = event.sample
    if stretches:
        stretches[-1].end = paused if paused is not None else max(event.sample for event, _ in events)
    return [stretch for stretch in stretches if stretch.end > stretch.start]


def _borders(group: Sequence[str], stretch: _Stretch) -> list[int]:
    """Where the words of a stretch begin, and its end, in samples."""
    borders = [stretch.start]
    letters = sum(len(word) for word in group)
    for index in range(1, len(group)):
        share = sum(len(word) for word in group[:index]) / letters
        guess = round(stretch.start + share * (stretch.end - stretch.start))
        inside = [sample for sample in stretch.phonemes if borders[-1] < sample < stretch.end]
        borders.append(min(inside, key=lambda sample: abs(sample - guess)) if inside else max(guess, borders[-1]))
    return [*borders, stretch.end]


def _plain(token: str) -> str:
    """The token in lower case, without the punctuation around it."""
    return token.strip(_PUNCTUATION).lower()
