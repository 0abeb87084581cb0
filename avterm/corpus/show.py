"""What a corpus holds: counts, hours, speakers, languages, durations."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from avterm.corpus.manifest import Corpus
from avterm.errors import BadInput
from avterm.progress import Progress
from avterm.speech.audio import duration


def describe(corpus: Corpus, progress: Progress) -> dict[str, Any]:
    """Counts by split, pictures, captions a picture, hours and durations (by the headers), speakers, languages.

    Recordings whose length cannot be read are counted under `unreadable`.
    """
    seconds, unreadable = [], 0
    with progress.step("read headers", len(corpus)) as step:
        for pair in corpus:
            try:
                seconds.append(duration(corpus.speech_path(pair)))
            except BadInput:
                unreadable += 1
            step.advance()
    per_image = Counter(p.image for p in corpus)
    lengths = np.array(seconds) if seconds else np.zeros(1)
    return {
        "pairs": len(corpus),
        "splits": dict(Counter(p.split for p in corpus)),
        "pictures": len(per_image),
        "captions_per_picture": round(len(corpus) / max(len(per_image), 1), 3),
        "hours": round(float(lengths.sum()) / 3600, 3),
        "seconds": {
            "min": round(float(lengths.min()), 3),
            "median": round(float(np.median(lengths)), 3),
            "max": round(float(lengths.max()), 3),
        },
        "unreadable": unreadable,
        "speakers": dict(Counter(p.speaker for p in corpus if p.speaker)),
        "languages": dict(Counter(p.language for p in corpus if p.language)),
        "texts": sum(p.text is not None for p in corpus),
        "word_times": corpus.words_path.exists(),
        "true_boxes": corpus.boxes_path.exists(),
    }
