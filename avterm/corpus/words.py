"""When each word of a caption is spoken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word and its time in the recording, in seconds."""

    word: str
    start: float
    end: float
