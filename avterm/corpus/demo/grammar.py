"""Captions from a grammar: true sentences about a scene, with the places where the speaker pauses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avterm.corpus.demo.rules import Frame, Grammar, grammar, spoken_colours
from avterm.corpus.demo.scenes import Placed, Scene

_VOWELS = "aeiou"
_FEWER = 0.35  # weight of a frame that leaves some of the picture's things out
_PAUSE, _HESITATION = "|", "~"


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said of a scene: words parted by blanks, seconds of silence after a word by its index, nouns in order."""

    text: str
    pauses: dict[int, float]
    nouns: tuple[str, ...]


def describe(scene: Scene, rng: np.random.Generator) -> Caption:
    """A caption that is true of `scene`; the same generator state gives the same caption."""
    rules = grammar()
    frame = _frame(scene, rules, rng)
    order = [scene.things[i] for i in rng.permutation(len(scene.things))[: frame.things]]
    relation = _relation(order[0], order[1], scene.picture.size, rules, rng) if frame.relation else ""
    said = frame.say.replace("{relation}", relation)
    said = re.sub(r"\{opener\}", lambda _: _pick(rules.openers, rng), said)
    said = re.sub(r"\{joint\}", lambda _: _pick(rules.joints, rng), said)
    said = re.sub(r"\{(\d)\}", lambda m: _phrase(order[int(m[1]) - 1], rules, rng), said)
    if scene.place.phrases and rng.random() < rules.scene_share:
        said += f" {_PAUSE} {_pick(scene.place.phrases, rng)}"
    text, pauses = _with_pauses(_articles(said.split()), rules, rng)
    return Caption(text, pauses, tuple(p.thing.word for p in order))


def _frame(scene: Scene, rules: Grammar, rng: np.random.Generator) -> Frame:
    count = len(scene.things)
    frames = [f for f in rules.frames if f.things <= count]
    weights = np.array([f.weight * (1.0 if f.things == count else _FEWER) for f in frames])
    return frames[int(rng.choice(len(frames), p=weights / weights.sum()))]


def _relation(a: Placed, b: Placed, size: tuple[int, int], rules: Grammar, rng: np.random.Generator) -> str:
    """A phrase that is true of where `a` is, seen from `b`."""
    dx = (a.box[0] + a.box[2] - b.box[0] - b.box[2]) / 2 / size[0]
    dy = (a.box[1] + a.box[3] - b.box[1] - b.box[3]) / 2 / size[1]
    if abs(dx) >= abs(dy):
        names = ["left" if dx < 0 else "right"]
        if abs(dy) < 0.2:
            names.append("beside")
    else:
        names = ["above" if dy < 0 else "below"]
    return _pick(rules.relations[_pick(names, rng)], rng)


def _phrase(placed: Placed, rules: Grammar, rng: np.random.Generator) -> str:
    """A determiner, perhaps an adjective, and the noun."""
    words = [_pick(rules.determiners, rng)]
    if rng.random() < rules.adjective_share:
        choices = [_pick(rules.other, rng)]
        if placed.colour in spoken_colours():
            choices += [placed.colour] * 2
        if placed.size:
            choices.append(_pick(rules.sizes[placed.size], rng))
        words.append(_pick(choices, rng))
    if rng.random() < rules.hesitation_share:
        words.append(_HESITATION)
    return " ".join([*words, placed.thing.word])


def _articles(tokens: Sequence[str]) -> list[str]:
    """`an` where the next word begins with a vowel."""
    words = [t for t in tokens if t != _HESITATION]
    following = iter([*words[1:], ""])
    fixed = []
    for token in tokens:
        if token != _HESITATION:
            after = next(following)
            token = "an" if token == "a" and after[:1] in tuple(_VOWELS) else token
        fixed.append(token)
    return fixed


def _with_pauses(tokens: Sequence[str], rules: Grammar, rng: np.random.Generator) -> tuple[str, dict[int, float]]:
    words: list[str] = []
    pauses: dict[int, float] = {}
    for token in tokens:
        if token == _PAUSE:
            if rng.random() < rules.pause_share:
                pauses[len(words) - 1] = round(float(rng.uniform(*rules.pause_seconds)), 3)
        elif token == _HESITATION:
            pauses[len(words) - 1] = round(float(rng.uniform(*rules.hesitation_seconds)), 3)
        else:
            words.append(token)
    return " ".join(words), pauses


def _pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
