"""Speakers for a language: the demo corpus's for English, else the language with the synthesiser's variants."""

from __future__ import annotations

from avterm.corpus.demo.rules import voices as demo_voices
from avterm.corpus.synthesis import Voice, identifier
from avterm.errors import UsageError

# variants that sound like people, unlike each other, women's and men's in turn
VARIANTS = ("f2", "m3", "f4", "m1", "f1", "m7", "f3", "m5", "f5", "m4", "m2", "m6", "m8")


def voices_for(language: str, count: int) -> tuple[Voice, ...]:
    """`count` voices for a language of the synthesiser (`en`, `fr-be`, `cmn` …), each named for its speaker.

    Raises BadInput where the language is not known, UsageError where there are not so many voices.
    """
    identifier(language)
    if language.lower() == "en":
        accents = tuple(Voice(f"en-{v}", f"en-us+{v}", rate=150) for v in VARIANTS)
        known = (*demo_voices(), *accents)
    else:
        known = tuple(Voice(f"{language}-{v}", f"{language}+{v}", rate=150) for v in VARIANTS)
    if not 1 <= count <= len(known):
        raise UsageError(f"--voices {count}: there are 1 to {len(known)} voices for {language!r}")
    return known[:count]
