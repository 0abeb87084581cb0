"""Written captions get voices: every source is read, ids and splits stay, faults are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from avterm.corpus.captions import first_captions, read_written
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.speak import file_name, speak
from avterm.corpus.voices import voices_for
from avterm.errors import BadInput, UsageError
from avterm.progress import Silent


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)


@pytest.fixture
def flickr(tmp_path: Path) -> Path:
    folder = tmp_path / "flickr"
    pictures(folder / "images", "a.jpg", "b.jpg", "c.jpg")
    tokens = "a.jpg#0\tA dog runs .\na.jpg#1\tA brown dog .\nb.jpg#0\tTwo cats .\nc.jpg#0\tA bird .\n"
    tokens += "d.jpg#0\tNo picture .\nbad line\n"
    (folder / "captions.token.txt").write_text(tokens)
    (folder / "trainImages.txt").write_text("a.jpg\nd.jpg\n")
    (folder / "devImages.txt").write_text("b.jpg\n")
    return folder


def test_a_token_file_becomes_a_corpus(flickr: Path, tmp_path: Path) -> None:
    progress = Silent()
    corpus = speak(flickr, tmp_path / "out", voices=3, progress=progress)
    again = Corpus.load(tmp_path / "out")
    assert [(p.id, p.split) for p in again] == [("a_0", "train"), ("a_1", "train"), ("b_0", "val")]
    assert sorted(p.kind for p in progress.problems) == ["malformed", "missing", "unlisted"]
    assert all(again.image_path(p).is_file() and again.speech_path(p).is_file() for p in corpus)
    assert {p.speaker for p in again} <= {v.name for v in voices_for("en", 3)}
    words = [json.loads(line) for line in again.words_path.read_text().splitlines()]
    assert [w["word"] for w in words[1]["words"]] == ["a", "brown", "dog"]
    assert not again.boxes_path.exists()


def test_a_recording_depends_on_seed_and_id_alone(flickr: Path, tmp_path: Path) -> None:
    all_of_them = speak(flickr, tmp_path / "all", jobs=2)
    firsts = speak(flickr, tmp_path / "first", captions=1)
    other = speak(flickr, tmp_path / "other", captions=1, seed=2)
    assert [p.id for p in firsts] == ["a_0", "b_0"]
    for pair in firsts:
        assert firsts.speech_path(pair).read_bytes() == all_of_them.speech_path(all_of_them[pair.id]).read_bytes()
        assert firsts.speech_path(pair).read_bytes() != other.speech_path(pair).read_bytes()


def test_pictures_are_found_from_a_linked_folder(flickr: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "away" / "out").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away" / "out")
    corpus = speak(flickr, tmp_path / "link", captions=1)
    assert all(corpus.image_path(pair).is_file() for pair in corpus)


def test_a_corpus_with_text_is_spoken_in_another_language_with_its_boxes(tmp_path: Path) -> None:
    pictures(tmp_path / "in", "x.png")
    pairs = [
        Pair("eins", "x.png", "none.wav", "test", "me", "de", "Ein Hund läuft"),
        Pair("leer", "x.png", "none.wav", "test", "me", "de"),
        Pair("punkte", "x.png", "none.wav", "test", "me", "de", "..."),
    ]
    Corpus(tmp_path / "in" / "corpus.jsonl", pairs).save()
    boxes = '{"id": "eins", "boxes": [{"word": "hund", "box": [0, 0, 2, 2]}]}\n'
    (tmp_path / "in" / "boxes.jsonl").write_text(boxes + '{"id": "leer", "boxes": []}\n')
    progress = Silent()
    corpus = speak(tmp_path / "in", tmp_path / "out", progress=progress)
    assert [(p.id, p.split, p.language) for p in corpus] == [("eins", "test", "de")]
    assert [(p.id, p.kind) for p in progress.problems] == [("leer", "empty"), ("punkte", "unspeakable")]
    assert corpus.boxes_path.read_text() == boxes
    french = speak(tmp_path / "in", tmp_path / "fr", language="fr", captions=1)
    assert french.pairs[0].language == "fr"
    assert (french.pairs[0].speaker or "").startswith("fr-")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_tables_are_read(tmp_path: Path, suffix: str) -> None:
    pictures(tmp_path, "p/a.png", "q/a.png")
    rows = [
        {"image": "p/a.png", "text": 'a "big" dog,\nrunning', "split": "dev", "id": "", "language": "en"},
        {"image": "p/a.png", "text": "a cat", "split": "", "id": "mine", "language": ""},
        {"image": "q/a.png", "text": "a bird", "split": "test", "id": "", "language": ""},
        {"image": "", "text": "nothing", "split": "", "id": "", "language": ""},
    ]
    path = tmp_path / f"table.{suffix}"
    if suffix == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        sep = "," if suffix == "csv" else "\t"
        cells = [["image", "text", "split", "id", "language"], *([*row.values()] for row in rows)]
        path.write_text("\n".join(sep.join('"' + c.replace('"', '""') + '"' for c in row) for row in cells))
    written, problems = read_written(path)
    assert [(w.id, w.split, w.language) for w in written] == [
        ("p/a_0", "val", "en"),
        ("mine", "train", None),
        ("q/a_0", "test", None),
    ]
    assert written[0].text == 'a "big" dog,\nrunning'
    assert [p.kind for p in problems] == ["malformed"]
    assert [w.id for w in first_captions(written, 1)] == ["p/a_0", "q/a_0"]


def test_karpathy_and_coco_files_are_read(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.jpg", "val/b.jpg")
    karpathy = {
        "images": [
            {"filename": "a.jpg", "split": "restval", "sentences": [{"raw": "a dog"}, {"raw": "a brown dog"}]},
            {"filename": "b.jpg", "filepath": "val", "split": "val", "sentences": [{"raw": "a cat"}]},
        ]
    }
    (tmp_path / "dataset.json").write_text(json.dumps(karpathy))
    written, problems = read_written(tmp_path)
    assert [(w.id, w.split, w.text) for w in written] == [
        ("a_0", "train", "a dog"),
        ("a_1", "train", "a brown dog"),
        ("b_0", "val", "a cat"),
    ]
    assert not problems
    coco = {"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [{"id": 3, "image_id": 7, "caption": "a dog "}]}
    (tmp_path / "captions_val2017.json").write_text(json.dumps(coco))
    written, _ = read_written(tmp_path / "captions_val2017.json")
    assert [(w.id, w.split, w.text) for w in written] == [("a_3", "val", "a dog")]


def test_second_uses_of_an_id_are_left_out(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    (tmp_path / "t.csv").write_text("id,image,text\nx,a.png,one\nx,a.png,two\n")
    written, problems = read_written(tmp_path / "t.csv")
    assert [w.text for w in written] == ["one"]
    assert [p.kind for p in problems] == ["duplicate"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"picture,words\nx,y\n"),
        ("a.jsonl", b"[1]\n"),
        ("a.json", b"{}"),
        ("a.json", b"{"),
        ("a.txt", b"\xff\xfe\x00"),
    ],
)
def test_what_is_no_source_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        read_written(tmp_path / name)


def test_impossible_requests_are_refused(flickr: Path, tmp_path: Path) -> None:
    for wrong in ({"voices": 0}, {"voices": 99}, {"captions": 0}, {"jobs": 0}, {"seed": -1}):
        with pytest.raises(UsageError):
            speak(flickr, tmp_path / "out", **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="nearest"):
        speak(flickr, tmp_path / "out", language="klingonese")
    with pytest.raises(BadInput, match="no such file"):
        speak(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="expected an avterm corpus"):
        speak(tmp_path / "empty", tmp_path / "out")
    pictures(tmp_path / "own", "x.png")
    Corpus(tmp_path / "own" / "corpus.jsonl", [Pair("a", "x.png", "none.wav", text="a dog")]).save()
    with pytest.raises(UsageError, match="another folder"):
        speak(tmp_path / "own", tmp_path / "own")


@pytest.mark.parametrize("id", ["a_1", "../x", "a/b", ".hidden", "наклейка", "a b", "x" * 300, "é" * 90, "\ud800", ""])
def test_file_names_stay_in_their_folder(id: str, tmp_path: Path) -> None:
    name = file_name(id)
    assert "/" not in name
    assert not name.startswith(".")
    assert 0 < len(name) <= 110
    (tmp_path / f"{name}.flac").touch()


def test_the_photographs_captions_are_all_read(corpora: Path) -> None:
    written, problems = read_written(corpora / "flickr-photos")
    assert (len(written), problems) == (4000, [])
    assert sum(w.split == "val" for w in written) == 500
    assert len(first_captions(written, 1)) == 800
