"""The demo corpus: same bytes for the same seed, pictures and captions that agree."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avterm.corpus.demo.backdrop import paint
from avterm.corpus.demo.grammar import describe
from avterm.corpus.demo.making import make_demo
from avterm.corpus.demo.rules import colours, grammar, nouns, places, things, voices
from avterm.corpus.demo.scenes import draw_scene
from avterm.corpus.demo.shapes import SUPERSAMPLING, parse, render, shade
from avterm.corpus.manifest import Corpus
from avterm.errors import ConfigError, UsageError


def hashes(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder, pairs=30, seed=5)
    return folder


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_jobs(made: Path, tmp_path: Path) -> None:
    make_demo(tmp_path / "again", pairs=30, seed=5, jobs=2)
    assert hashes(tmp_path / "again") == hashes(made)
    make_demo(tmp_path / "other", pairs=2, seed=6)
    assert hashes(tmp_path / "other")["images/scene00000.jpg"] != hashes(made)["images/scene00000.jpg"]


def test_a_pair_does_not_depend_on_how_many_there_are(made: Path, tmp_path: Path) -> None:
    make_demo(tmp_path, pairs=3, seed=5)
    whole, part = hashes(made), hashes(tmp_path)
    assert all(whole[name] == part[name] for name in part if name.startswith(("images/", "speech/")))


def test_the_corpus_is_complete_and_true(made: Path) -> None:
    corpus = Corpus.load(made)
    assert len(corpus) == 30
    assert {p.split for p in corpus} == {"train", "val"}
    assert len(corpus.split("val")) == 4
    words = {record["id"]: record["words"] for record in lines(corpus.words_path)}
    boxes = {record["id"]: record["boxes"] for record in lines(corpus.boxes_path)}
    for pair in corpus:
        sound = soundfile.info(corpus.speech_path(pair))
        assert (sound.samplerate, sound.channels, sound.format) == (16_000, 1, "FLAC")
        assert [w["word"] for w in words[pair.id]] == (pair.text or "").split()
        assert all(0 <= w["start"] < w["end"] <= sound.duration for w in words[pair.id])
        drawn = [b["word"] for b in boxes[pair.id]]
        assert 2 <= len(drawn) <= 4
        assert len(set(drawn)) == len(drawn)
        spoken = [w["word"] for w in words[pair.id] if w["word"] in nouns()]
        assert len(spoken) >= 2
        assert set(spoken) <= set(drawn)
        width, height = Image.open(corpus.image_path(pair)).size
        for box in boxes[pair.id]:
            x0, y0, x1, y1 = box["box"]
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height


def test_making_it_again_in_the_same_folder_replaces_it(tmp_path: Path) -> None:
    make_demo(tmp_path, pairs=2, seed=1)
    make_demo(tmp_path, pairs=1, seed=2)
    assert len(Corpus.load(tmp_path)) == 1
    assert len(lines(tmp_path / "words.jsonl")) == 1


@pytest.mark.parametrize("wrong", [{"pairs": 0}, {"jobs": 0}, {"seed": -1}])
def test_impossible_numbers_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected at least one"):
        make_demo(tmp_path, **wrong)


def test_there_is_enough_to_draw_and_to_say() -> None:
    assert len(nouns()) >= 24
    assert {"lighthouse", "castle", "boat", "train", "tree"} <= set(nouns())
    assert all(word.isalpha() and word.islower() for word in nouns())
    assert len(voices()) >= 8
    assert len({voice.espeak for voice in voices()}) == len(voices())
    assert len(grammar().frames) >= 10


def test_scenes_hold_different_things_that_hardly_overlap() -> None:
    sides = []
    for seed in range(25):
        scene = draw_scene(np.random.default_rng(seed))
        width, height = scene.picture.size
        for number, placed in enumerate(scene.things):
            x0, y0, x1, y1 = placed.box
            sides.append(max((x1 - x0) / width, (y1 - y0) / height))
            for other in scene.things[:number]:
                a, b = placed.box, other.box
                shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
                assert shared <= 0.25 * min((x1 - x0) * (y1 - y0), (b[2] - b[0]) * (b[3] - b[1]))
    assert 0.3 < np.median(sides) < 0.55


def test_a_box_holds_its_thing() -> None:
    rng = np.random.default_rng(3)
    scene = draw_scene(rng)
    pixels = np.asarray(scene.picture, np.int16)
    for placed in scene.things:
        x0, y0, x1, y1 = (int(v) for v in placed.box)
        assert pixels[y0:y1, x0:x1].std() > 15


def test_captions_are_true_of_their_scenes() -> None:
    right, left = grammar().relations["right"], grammar().relations["left"]
    checked = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scene = draw_scene(rng)
        caption = describe(scene, rng)
        words = caption.text.split()
        assert [w for w in words if w in nouns()]
        assert set(caption.nouns) <= {p.thing.word for p in scene.things}
        assert all(0 <= index < len(words) for index in caption.pauses)
        middle = {p.thing.word: (p.box[0] + p.box[2]) / 2 for p in scene.things}
        colour = {p.thing.word: p.colour for p in scene.things}
        for adjective, noun in itertools.pairwise(words):
            if noun in colour and adjective in colours():
                assert colour[noun] == adjective
        for phrases, sign in ((left, -1), (right, 1)):
            phrase = next((p for p in phrases if f" {p} " in f" {caption.text} "), None)
            head, _, tail = caption.text.partition(phrase or "\0")
            before = [w for w in head.split() if w in nouns()]
            if phrase and before:
                b = next(w for w in tail.split() if w in nouns())
                assert sign * (middle[before[-1]] - middle[b]) > 0
                checked += 1
    assert checked > 10


def test_every_thing_and_place_draws() -> None:
    for thing in things():
        palette = {**colours(), "main": (200, 30, 30), "second": (30, 30, 200)}
        tile = render(thing.shapes, thing.size, 1.0, palette)
        assert tile.width >= thing.size[0] * SUPERSAMPLING
        assert (np.asarray(tile)[..., 3] > 0).mean() > 0.15
    for place in places():
        picture, horizon = paint(place, (64, 48), np.random.default_rng(0))
        assert picture.size == (64, 48)
        assert place.horizon[0] <= horizon <= place.horizon[1]


def test_shapes_are_read_and_faults_are_named() -> None:
    (box, line) = parse("box red 0 1 2 3 r=1 n=2 dx=4 bare\n\nline ink 2 0 0 5 5 9 9", "here")
    assert (box.radius, box.times, box.step, box.bare) == (1.0, 2, (4.0, 0.0), True)
    assert line.numbers == (2, 0, 0, 5, 5, 9, 9)
    for wrong in (
        "square red 0 0 1 1",
        "box red 0 0 1",
        "poly red 0 0 1",
        "box red a b c d",
        "box red 0 0 1 1 z=2",
        "box",
    ):
        with pytest.raises(ConfigError, match="here"):
            parse(wrong, "here")


def test_shades_go_both_ways() -> None:
    palette = {"red": (200, 40, 40)}
    assert shade(palette, "red") == (200, 40, 40)
    assert sum(shade(palette, "red+")) > 280 > sum(shade(palette, "red-")) > sum(shade(palette, "red--"))
