"""Give voices to pictures with written captions: a spoken corpus with word times, in any language of libespeak-ng."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from avterm.corpus.captions import Written, first_captions, in_language, read_written
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.parallel import spread
from avterm.corpus.reading import lines, parse_json
from avterm.corpus.recording import record, write_flac
from avterm.corpus.synthesis import Voice
from avterm.corpus.voices import voices_for
from avterm.errors import BadInput, Problem, UsageError
from avterm.progress import Progress, Silent
from avterm.store.atomic import replacing, write_text

VOICES = 8
_BLOCK = 25  # captions that a process speaks before it reports
_PLAIN_NAME = re.compile(r"[\w-][\w.-]{0,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Job:
    folder: Path
    seed: int
    captions: tuple[tuple[Written, Voice], ...]


def speak(
    source: Path,
    folder: Path,
    *,
    images: Path | None = None,
    language: str | None = None,
    voices: int = VOICES,
    captions: int | None = None,
    seed: int = 1,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Corpus:
    """Speak the written captions of `source` (see `captions.read_written`) into a corpus in `folder`.

    Of each picture, its first `captions` are spoken, all by default. `language` overrides the captions' own; without
    either it is English. Which voice speaks a caption, and how, follows from `seed` and the caption's id alone, so that
    neither `jobs` nor `captions` changes a recording. Ids and splits are kept, pictures are used where they lie. Writes
    speech/, words.jsonl (seconds), boxes.jsonl where the source has them, and corpus.jsonl last. What cannot be spoken
    is reported to `progress` and left out.
    """
    progress, source, folder = progress or Silent(), Path(source), Path(folder)
    if jobs < 1 or seed < 0 or (captions is not None and captions < 1):
        raise UsageError(f"expected jobs and captions from 1 and a seed from 0, found {jobs}, {captions}, {seed}")
    corpus = Corpus(folder / "corpus.jsonl", [])
    if corpus.path.resolve() in (source.resolve(), (source / "corpus.jsonl").resolve()):
        raise UsageError(f"{folder}: the corpus to speak lies here; give another folder with --to")
    found, problems = read_written(source, images)
    for problem in problems:
        progress.problem(problem)
    written = in_language(first_captions(found, captions), language)
    if not written:
        raise BadInput(f"{source}: found no written caption that has a picture")
    casts = {name: voices_for(name, voices) for name in sorted({w.language or "en" for w in written})}
    cast = [(w, _voice(w, casts[w.language or "en"], seed)) for w in written]
    for path in (corpus.path, corpus.words_path, corpus.boxes_path):
        path.unlink(missing_ok=True)  # of an older corpus here, whose recordings are about to change
    (folder / "speech").mkdir(parents=True, exist_ok=True)
    records = _spoken(folder, cast, seed, jobs, progress)
    if not records:
        raise BadInput(f"{source}: no written caption could be spoken")
    corpus = Corpus(corpus.path, [Pair(**r["pair"]) for r in records])
    write_text(corpus.words_path, "".join(_line({"id": r["pair"]["id"], "words": r["words"]}) for r in records))
    _keep_boxes(source, corpus)
    corpus.save()
    return corpus


def _spoken(
    folder: Path, cast: list[tuple[Written, Voice]], seed: int, jobs: int, progress: Progress
) -> list[dict[str, Any]]:
    """One record for each caption that could be spoken, in order."""
    blocks = [_Job(folder, seed, tuple(cast[start : start + _BLOCK])) for start in range(0, len(cast), _BLOCK)]
    records: list[dict[str, Any]] = []
    with progress.step("speaking", len(cast), "captions") as step:
        for block, answers in zip(blocks, spread(_speak_block, blocks, jobs), strict=True):
            for answer in answers:
                if isinstance(answer, Problem):
                    progress.problem(answer)
                else:
                    records.append(answer)
            step.advance(len(block.captions))
    return records


def _speak_block(job: _Job) -> list[dict[str, Any] | Problem]:
    answers: list[dict[str, Any] | Problem] = []
    for written, voice in job.captions:
        try:
            answers.append(_speak_one(job, written, voice))
        except BadInput as error:
            answers.append(Problem(written.id, "unspeakable", str(error)))
    return answers


def _speak_one(job: _Job, written: Written, voice: Voice) -> dict[str, Any]:
    spoken = record(written.text, voice, np.random.default_rng(_entropy(written.id, job.seed, "manner")))
    speech = f"speech/{file_name(written.id)}.flac"
    with replacing(job.folder / speech, sync=False) as temporary:
        write_flac(temporary, spoken.samples)
    # the folders are resolved: `..` from a linked folder leads elsewhere
    picture = written.image.parent.resolve() / written.image.name
    image = Path(os.path.relpath(picture, job.folder.resolve())).as_posix()
    pair = Pair(written.id, image, speech, written.split, voice.name, written.language, written.text)
    return {"pair": asdict(pair), "words": [{"word": w.word, "start": w.start, "end": w.end} for w in spoken.words]}


def file_name(id: str) -> str:
    """A file's name for an id: the id where that is a plain name, else an escaped form, else its digest."""
    if _PLAIN_NAME.fullmatch(id):
        return id
    escaped = quote(id, safe=" ", errors="surrogatepass")
    digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return escaped if 0 < len(escaped) <= 100 and not escaped.startswith((".", " ")) else digest


def _voice(written: Written, cast: tuple[Voice, ...], seed: int) -> Voice:
    return cast[int(np.random.default_rng(_entropy(written.id, seed, "voice")).integers(len(cast)))]


def _entropy(id: str, seed: int, purpose: str) -> list[int]:
    digest = hashlib.sha256(f"{purpose} {id}".encode("utf-8", "surrogatepass")).digest()
    return [seed, int.from_bytes(digest[:8], "little")]


def _keep_boxes(source: Path, corpus: Corpus) -> None:
    """Copy the true boxes of a spoken avterm corpus: the pictures and the captions are the same."""
    path = (source if source.is_dir() else source.parent) / "boxes.jsonl"
    if not path.is_file() or not (path.parent / "corpus.jsonl").is_file():
        return
    kept = []
    for number, line in lines(path):
        boxes = parse_json(line, f"{path}:{number}")
        if isinstance(boxes, dict) and str(boxes.get("id")) in corpus.index:
            kept.append(line + "\n")
    write_text(corpus.boxes_path, "".join(kept))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"
