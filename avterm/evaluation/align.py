"""`avterm align`: word times from transcripts, by forced alignment with pocketsphinx and its English model.

For those who have text but no times: section 5 needs to know when each word is spoken. Learning never sees them.
"""

from __future__ import annotations

import importlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.parallel import spread
from avterm.corpus.words import Word
from avterm.errors import AvtermError, Problem, StoreError, UsageError
from avterm.progress import Progress
from avterm.speech.audio import read_audio
from avterm.store.atomic import replacing
from avterm.units import FRAMES_PER_SECOND, SAMPLE_RATE

_BLOCK = 50  # captions that one process aligns at a time
_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")  # letters and digits of any script, with inner apostrophes and hyphens


@dataclass(frozen=True)
class Aligned:
    """The words of one caption that were placed, and those that were not."""

    id: str
    words: tuple[Word, ...]
    unplaced: tuple[str, ...]
    problem: Problem | None  # why the words that are missing are


@dataclass(frozen=True)
class AlignSummary:
    """What alignment gave."""

    path: str
    captions: int  # with words placed
    placed: int  # words
    unplaced: int
    unknown: dict[str, int]  # words that the dictionary lacks, and how often each was said


def align(corpus: Corpus, to: Path, progress: Progress, jobs: int = 1, redo: bool = False) -> AlignSummary:
    """Align every pair that has a text; writes `to`, one `{"id", "words"}` a line, whole or not at all.

    A word that the dictionary lacks is left out, and the rest of its caption aligned around it. Captions without text,
    in a language other than English, with unreadable sound, or whose text the sound does not bear out have none of
    their words placed. Each is a problem of its own, named to `progress`. UsageError where pocketsphinx is not
    installed; StoreError where `to` exists and not `redo`. The same whatever `jobs` is.
    """
    if to.exists() and not redo:
        raise StoreError(f"{to}: exists already; give another file, or --redo to replace it")
    _pocketsphinx()
    items = [(pair, corpus.speech_path(pair)) for pair in corpus]
    blocks = [items[i : i + _BLOCK] for i in range(0, len(items), _BLOCK)]
    captions = placed = missing = 0
    unknown: dict[str, int] = {}
    with (
        replacing(to) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
        progress.step("align", len(items)) as step,
    ):
        for caption in (caption for block in spread(_align_block, blocks, jobs) for caption in block):
            placed, missing = placed + len(caption.words), missing + len(caption.unplaced)
            if caption.problem is not None:
                progress.problem(caption.problem)
                if caption.problem.kind == "unknown":
                    for word in caption.unplaced:
                        unknown[word] = unknown.get(word, 0) + 1
            if caption.words:
                captions += 1
                file.write(_line(caption))
            step.advance()
    return AlignSummary(str(to), captions, placed, missing, dict(sorted(unknown.items(), key=lambda w: (-w[1], w[0]))))


def tokens(text: str) -> list[str]:
    """The words of a transcript in lower case, without punctuation."""
    return _TOKEN.findall(unicodedata.normalize("NFC", text).replace("’", "'").casefold())


def align_caption(pair: Pair, sound: np.ndarray) -> Aligned:
    """Align one caption. sound: float32 (samples,) at 16 kHz."""
    decoder = _decoder()
    said = [part for word in tokens(pair.text or "") for part in _known_parts(decoder, word)]
    known = [word for word in said if decoder.lookup_word(word) is not None]
    lacking = tuple(word for word in said if decoder.lookup_word(word) is None)
    if not known:
        return _failed(pair, said, "unknown", "none of its words are in the dictionary")
    found = list(_segments(decoder, known, sound))
    if len(found) != len(known):
        reached = f"the sound bears out {len(found)} of {len(known)} words" if found else "the sound bears out no word"
        return _failed(pair, said, "unaligned", reached)
    words = tuple(Word(word, start, end) for word, (start, end) in zip(known, found, strict=True))
    problem = None
    if lacking:
        problem = Problem(pair.id, "unknown", f"not in the dictionary, and left out: {', '.join(lacking)}")
    return Aligned(pair.id, words, lacking, problem)


def _align_block(items: list[tuple[Pair, Path]]) -> list[Aligned]:
    return [_align_pair(pair, path) for pair, path in items]


def _align_pair(pair: Pair, path: Path) -> Aligned:
    said = tokens(pair.text or "")
    if not said:
        return _failed(pair, said, "text", "has no text to align")
    if pair.language is not None and not re.match(r"en(glish)?\b", pair.language.casefold()):
        return _failed(pair, said, "language", f"the model is for English, not {pair.language!r}")
    try:
        sound = read_audio(path)
    except AvtermError as error:
        return _failed(pair, said, "sound", str(error))
    return align_caption(pair, sound)


def _failed(pair: Pair, said: list[str], kind: str, message: str) -> Aligned:
    return Aligned(pair.id, (), tuple(said), Problem(pair.id, kind, message))


def _known_parts(decoder: Any, word: str) -> list[str]:
    """The word, or what its hyphens part where the dictionary has all of that and not the whole."""
    parts = word.split("-")
    if decoder.lookup_word(word) is None and all(decoder.lookup_word(part) is not None for part in parts):
        return parts
    return [word]


def _segments(decoder: Any, words: list[str], sound: np.ndarray) -> Iterator[tuple[float, float]]:
    """Start and end in seconds of each word as far as the alignment reached."""
    decoder.reinit_feat()  # its noise estimate would otherwise come from the caption before
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    whole = (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
    decoder.process_raw(whole, no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return
    for segment in decoder.seg():
        if segment.word[0] not in "<[":  # fillers: silence and noise
            yield segment.start_frame / FRAMES_PER_SECOND, (segment.end_frame + 1) / FRAMES_PER_SECOND


def _line(caption: Aligned) -> str:
    words = [{"word": w.word, "start": w.start, "end": w.end} for w in caption.words]
    return json.dumps({"id": caption.id, "words": words}, ensure_ascii=False) + "\n"


@cache
def _decoder() -> Any:
    """One a process: loading the model takes a third of a second.

    Means are taken over each whole caption (`batch`), so that its words do not depend on the captions before it. The
    weight `lw` of the grammar is 1, as there is nothing to choose between: with its default of 6.5 more captions are
    lost and borders are less exact.
    """
    return _pocketsphinx().Decoder(lm=None, samprate=SAMPLE_RATE, cmn="batch", lw=1.0, loglevel="FATAL")


def _pocketsphinx() -> Any:
    try:
        return importlib.import_module("pocketsphinx")
    except ImportError:
        raise UsageError("alignment needs pocketsphinx, which is not installed: pip install 'avterm[align]'") from None
