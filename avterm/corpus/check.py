"""Open every file of a corpus and say, by id, what is wrong with it. Repairs nothing."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avterm.config import SpeechConfig
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.parallel import spread
from avterm.errors import BadInput, Problem
from avterm.progress import Progress
from avterm.speech.audio import read_audio
from avterm.units import SAMPLE_RATE
from avterm.vision.pictures import read_picture

BLOCK = 16
SILENT = 1e-3  # a peak under -60 dB
CLIPPED = 0.001  # share of samples at full scale


@dataclass(frozen=True)
class _Job:
    """Files of a block of pairs; pictures only where this block is the first to use them."""

    pairs: tuple[tuple[str, Path, Path | None], ...]
    shortest: float
    longest: float


def check_corpus(
    corpus: Corpus, progress: Progress, jobs: int = 0, config: SpeechConfig | None = None
) -> list[Problem]:
    """Everything that is wrong, in the corpus's order: what single files have, then what pairs have in common.

    Kinds: missing, undecodable, too-short, too-long, silent, clipped (files); duplicated (two pairs with the same
    recording, byte for byte), shared (a picture in two splits).
    """
    config = config or SpeechConfig()
    blocks, seen = [], set()
    for start in range(0, len(corpus), BLOCK):
        items = []
        for pair in corpus.pairs[start : start + BLOCK]:
            picture = None if pair.image in seen else corpus.image_path(pair)
            seen.add(pair.image)
            items.append((pair.id, corpus.speech_path(pair), picture))
        blocks.append(_Job(tuple(items), config.min_seconds, config.max_seconds))
    problems: list[Problem] = []
    sums: list[tuple[str, str]] = []
    with progress.step("check", len(corpus)) as step:
        for job, (found, digests) in zip(blocks, spread(_check, blocks, jobs or os.cpu_count() or 1), strict=True):
            for problem in found:
                progress.problem(problem)
            problems += found
            sums += digests
            step.advance(len(job.pairs))
    for problem in _in_common(corpus.pairs, sums):
        progress.problem(problem)
        problems.append(problem)
    return problems


def _check(job: _Job) -> tuple[list[Problem], list[tuple[str, str]]]:
    problems: list[Problem] = []
    digests = []
    for id, speech, picture in job.pairs:
        problems += _speech(id, speech, job)
        if speech.is_file():
            digests.append((id, hashlib.blake2b(speech.read_bytes(), digest_size=16).hexdigest()))
        if picture is not None:
            problems += _picture(id, picture)
    return problems, digests


def _speech(id: str, path: Path, job: _Job) -> Iterator[Problem]:
    if not path.is_file():
        yield Problem(id, "missing", f"{path}: no such recording")
        return
    try:
        samples = read_audio(path)
    except BadInput as error:
        yield Problem(id, "undecodable", str(error))
        return
    seconds = len(samples) / SAMPLE_RATE
    if seconds < job.shortest:
        yield Problem(id, "too-short", f"{path}: {seconds:.2f} s; at least {job.shortest} s are needed")
    if seconds > job.longest:
        yield Problem(id, "too-long", f"{path}: {seconds:.0f} s; at most {job.longest:.0f} s are read")
    peak = float(np.abs(samples).max())
    if peak < SILENT:
        yield Problem(id, "silent", f"{path}: its loudest sample is {peak:.6f} of full scale")
    elif float(np.mean(np.abs(samples) >= 0.999)) > CLIPPED:
        yield Problem(
            id, "clipped", f"{path}: {np.mean(np.abs(samples) >= 0.999):.2%} of its samples are at full scale"
        )


def _picture(id: str, path: Path) -> Iterator[Problem]:
    if not path.is_file():
        yield Problem(id, "missing", f"{path}: no such picture")
        return
    try:
        read_picture(path)
    except BadInput as error:
        yield Problem(id, "undecodable", str(error))


def _in_common(pairs: Sequence[Pair], digests: list[tuple[str, str]]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for id, digest in digests:
        if digest in first:
            yield Problem(id, "duplicated", f"the same recording as {first[digest]}, byte for byte")
        first.setdefault(digest, id)
    splits: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        splits[pair.image].add(pair.split)
    told: set[str] = set()
    for pair in pairs:
        if len(splits[pair.image]) > 1 and pair.image not in told:
            told.add(pair.image)
            yield Problem(pair.id, "shared", f"{pair.image} is in splits {' and '.join(sorted(splits[pair.image]))}")
