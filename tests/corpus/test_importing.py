"""Every format of people's disks, in small; word times of every format; splits; check; the real corpora."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.corpus.boxes import boxes_of
from avterm.corpus.check import check_corpus
from avterm.corpus.importing import Import, import_corpus
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.splits import draw_splits
from avterm.corpus.words import Word, read_words, words_of
from avterm.errors import BadInput, UsageError
from avterm.progress import Silent


def media(folder: Path, *names: str) -> None:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".jpg", ".png"}:
            Image.new("RGB", (8, 6), (i * 30 % 255, 9, 9)).save(path)
        else:
            sound = np.random.default_rng(i).normal(0, 0.1, 16_000).astype(np.float32)
            soundfile.write(path, sound, 16_000)


def imported(source: Path, **options: object) -> tuple[Corpus, list]:
    found = import_corpus([source], source.parent / "out", Import(**options), Silent())  # type: ignore[arg-type]
    return Corpus.load(source.parent / "out"), found[1]


def test_places(tmp_path: Path) -> None:
    source = tmp_path / "places"
    media(source, "img/a.jpg", "img/b.jpg", "wav/x/a 1.wav", "wav/b.wav")
    head = {"image_base_path": "/nowhere/img", "audio_base_path": "/nowhere/wav"}
    item = {"image": "a.jpg", "wav": "x/a 1.wav", "uttid": "ü 1", "speaker": "s", "asr_text": "THE DOG"}
    item["text_alignment"] = "0.0__THE__0.2 0.2__DOG__0.5 0.5__<SPOKEN_NOISE>__0.6"
    missing = {"image": "z.jpg", "wav": "b.wav"}
    (source / "train_2020.json").write_text(json.dumps(head | {"data": [item, missing]}))
    (source / "dev_seen_2020.json").write_text(json.dumps(head | {"data": [{"image": "b.jpg", "wav": "b.wav"}, item]}))
    corpus, problems = imported(source, images=source / "img", speech=source / "wav")
    assert [(p.id, p.split) for p in corpus] == [("b", "val"), ("ü 1", "val")]
    assert sorted(p.kind for p in problems) == ["duplicate-id", "missing-picture"]
    assert words_of(corpus)["ü 1"] == [Word("the", 0.0, 0.2), Word("dog", 0.2, 0.5)]
    assert corpus.image_path(corpus["b"]).is_file()


def test_spokencoco_with_karpathys_splits(tmp_path: Path) -> None:
    source = tmp_path / "coco"
    media(source, "images/a.jpg", "wavs/1.wav", "wavs/2.wav")
    captions = [{"uttid": f"s_a_{n}", "speaker": "s", "wav": f"wavs/{n}.wav", "text": "t"} for n in (1, 2)]
    (source / "SpokenCOCO_train.json").write_text(
        json.dumps({"data": [{"image": "images/a.jpg", "captions": captions}]})
    )
    karpathy = {"images": [{"filename": "a.jpg", "split": "val", "sentids": [1]}, {"split": "restval", "sentids": [2]}]}
    (source / "dataset_coco.json").write_text(json.dumps(karpathy))
    corpus, problems = imported(source)
    assert [(p.id, p.split) for p in corpus] == [("s_a_1", "val"), ("s_a_2", "train")]
    assert not problems


def test_flickr8k(tmp_path: Path) -> None:
    source = tmp_path / "flickr"
    media(source, "Flicker8k_Dataset/X.jpg", "flickr_audio/wavs/X_0.wav", "flickr_audio/wavs/X_1.wav")
    (source / "flickr_audio" / "wav2capt.txt").write_text("X_0.wav X.jpg #0\nX_1.wav X.jpg #1\nY_0.wav X.jpg #2\n")
    (source / "flickr_audio" / "wav2spk.txt").write_text("X_0.wav 7\n")
    (source / "Flickr8k.token.txt").write_text("X.jpg#0\tA dog .\nX.jpg#1\tA cat .\n")
    (source / "Flickr_8k.devImages.txt").write_text("X.jpg\n")
    (source / "flickr_8k.ctm").write_text("X.jpg#1 1 0.1 0.2 CAT\n")
    corpus, problems = imported(source)
    assert [(p.id, p.split, p.speaker, p.text) for p in corpus] == [
        ("X_0", "val", "7", "A dog ."),
        ("X_1", "val", None, "A cat ."),
    ]
    assert [p.kind for p in problems] == ["missing-recording"]
    assert words_of(corpus) == {"X_1": [Word("cat", 0.1, pytest.approx(0.3))]}


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_tables(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "own" / f"list.{kind}"
    media(source.parent, "a.png", "1.wav", "2.wav")
    rows = [{"image": "a.png", "speech": f"{n}.wav", "split": s, "speaker": "k"} for n, s in ((1, "train"), (2, "dev"))]
    if kind == "jsonl":
        source.write_text("".join(json.dumps(r) + "\n" for r in rows))
    else:
        mark = "," if kind == "csv" else "\t"
        source.write_text("\n".join(mark.join(line) for line in [rows[0], *(r.values() for r in rows)]))
    corpus, _ = imported(source)
    assert [(p.id, p.split, p.speaker) for p in corpus] == [("1", "train", "k"), ("2", "val", "k")]


def test_rows_of_a_table_that_cannot_be_meant_are_named(tmp_path: Path) -> None:
    source = tmp_path / "own" / "list.csv"
    media(source.parent, "a.png", "1.wav", "2.wav")
    rows = ['a.png,1.wav,train,"two\nlines"', ",2.wav,,", "a.png,2.wav,sometime,", "a.png,2.wav,,"]
    source.write_text("image,speech,split,text\n" + "\n".join(rows) + "\n")
    corpus, problems = imported(source)
    assert [(p.id, p.text) for p in corpus] == [("1", "two\nlines"), ("2", None)]
    assert [p.id for p in problems] == ["list.csv:4", "list.csv:5"]


@pytest.mark.parametrize("text", ['{"images": 3}', "[]", '{"images": ["X.jpg"]}'])
def test_a_karpathy_file_of_another_shape_is_named(tmp_path: Path, text: str) -> None:
    source = tmp_path / "flickr"
    media(source, "images/X.jpg", "wavs/X_0.wav")
    (source / "wav2capt.txt").write_text("X_0.wav X.jpg #0\n")
    (source / "dataset.json").write_text(text)
    with pytest.raises(BadInput, match=r"dataset\.json"):
        imported(source, format="flickr8k")
    (source / "dataset.json").write_text('{"images": [{"filename": "X.jpg", "split": "val", "sentences": 4}]}')
    assert [p.split for p in imported(source, format="flickr8k")[0]] == ["val"]


def test_folder(tmp_path: Path) -> None:
    source = tmp_path / "field"
    media(source, "лес.jpg", "лес.wav", "b.jpg", "b_1.wav", "b_2.wav", "c.wav")
    corpus, problems = imported(source, split="draw", val=1)
    assert {p.id for p in corpus} == {"лес", "b_1", "b_2"}
    assert [p.kind for p in problems] == ["missing-picture"]
    assert len({p.split for p in corpus if p.image.endswith("b.jpg")}) == 1


LONG = 'File type = "ooTextFile"\nitem [1]:\nclass = "IntervalTier"\nname = "words"\nxmin = 0\nxmax = 1\n'
LONG += 'intervals: size = 2\nintervals [1]:\nxmin = 0\nxmax = 0.5\ntext = "a ""b"""\n'
LONG += 'intervals [2]:\nxmin = 0.5\nxmax = 1\ntext = ""\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_textgrids(tmp_path: Path, encoding: str) -> None:
    elan = LONG.replace("item [1]", "item[1]").replace("intervals [1]:", "intervals [1]")
    short = 'File type = "ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n1\n"IntervalTier"\n'
    short += '"words"\n0\n1\n2\n0\n0.5\n"a ""b"""\n0.5\n1\n""\n'
    for i, text in enumerate((LONG, elan, short)):
        path = tmp_path / f"u{i}.TextGrid"
        path.write_text(text, encoding=encoding)
        assert read_words(path) == {f"u{i}": [Word('a "b"', 0.0, 0.5)]}
    assert len(read_words(tmp_path)) == 3
    path.write_text(short[:-12], encoding=encoding)
    with pytest.raises(BadInput, match="breaks off"):
        read_words(path)
    with pytest.raises(BadInput, match="no tier 'phones'"):
        read_words(tmp_path / "u0.TextGrid", tier="phones")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ctm", "u 1 0.1 x dog"),
        ("a.ctm", "u 1 0.1"),
        ("a.ctm", "u 1 nan 1 dog"),
        ("a.jsonl", "{"),
        ("a.jsonl", '{"id": "u", "words": [3]}'),
        ("a.json", '{"data": [{"uttid": "u", "text_alignment": "0.1__DOG"}]}'),
        ("a.csv", "id,word\nu,dog\n"),
        ("a.json", "[" * 100_000),
        ("a.doc", ""),
    ],
)
def test_bad_word_times_are_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=name):
        read_words(tmp_path / name)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=4, max_size=40), st.booleans())
@settings(max_examples=60, deadline=None)
def test_splits_never_share_a_picture(drawn: list[tuple[int, int]], by_speaker: bool) -> None:
    pairs = [Pair(str(i), f"{image}.jpg", "x", speaker=str(speaker)) for i, (image, speaker) in enumerate(drawn)]
    try:
        split = draw_splits(pairs, 0.3, by_speaker=by_speaker)
    except UsageError:
        return
    assert {p.split for p in split} == {"train", "val"}
    for key in ("image", "speaker") if by_speaker else ("image",):
        sides: dict[str, set[str]] = {}
        for pair in split:
            sides.setdefault(getattr(pair, key), set()).add(pair.split)
        assert all(len(s) == 1 for s in sides.values())


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    media(tmp_path, "a.jpg", "ok.wav", "b.jpg")
    soundfile.write(tmp_path / "short.wav", np.full(800, 0.1), 16_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    soundfile.write(tmp_path / "loud.wav", np.sign(np.sin(np.arange(16_000))), 16_000)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    (tmp_path / "empty.wav").touch()
    names = [
        ("ok", "a.jpg"),
        ("short", "a.jpg"),
        ("silent", "a.jpg"),
        ("loud", "b.jpg"),
        ("empty", "bad.jpg"),
        ("gone", "no.jpg"),
    ]
    pairs = [Pair(n, image, f"{n}.wav", "val" if n == "short" else "train") for n, image in names]
    corpus = Corpus(tmp_path / "corpus.jsonl", [*pairs, Pair("twin", "b.jpg", "ok.wav")])
    corpus.save()
    found = {(p.id, p.kind) for p in check_corpus(corpus, Silent(), jobs=1)}
    assert found == {
        ("short", "too-short"), ("silent", "silent"), ("loud", "clipped"), ("empty", "undecodable"),
        ("gone", "missing"), ("twin", "duplicated"), ("ok", "shared"),
    }  # fmt: skip
    assert CliRunner().invoke(app, ["corpus", "check", str(tmp_path), "--jobs", "1"]).exit_code == 1
    assert CliRunner().invoke(app, ["corpus", "show", str(tmp_path)]).exit_code == 0


def test_sources_that_are_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["corpus", "import", str(tmp_path / "no"), "--to", str(tmp_path / "out")])
    assert isinstance(result.exception, BadInput)
    with pytest.raises(BadInput):
        imported(tmp_path)
    with pytest.raises(UsageError):
        imported(tmp_path, format="mp4")


def test_real_corpora_lose_no_pair(corpora: Path, tmp_path: Path) -> None:
    for name, pairs, val in (("spoken-digits", 1500, 300), ("flickr-photos", 800, 100)):
        corpus, problems = import_corpus([corpora / name], tmp_path / name, Import(), Silent())
        assert not problems
        assert (len(corpus), len(corpus.split("val"))) == (pairs, val)
    digits = Corpus.load(tmp_path / "spoken-digits")
    assert set(words_of(digits)) == set(digits.index) == set(boxes_of(digits))
