"""Files that once ended in a traceback, a hang, a crash or a program started."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.EpsImagePlugin
import pytest
import soundfile
import torch

from avterm.config import Config, override, parse_setting, read_toml
from avterm.corpus.boxes import read_boxes
from avterm.corpus.captions import read_written
from avterm.corpus.importing import Import, import_corpus
from avterm.corpus.manifest import Corpus, Pair
from avterm.corpus.words import read_words
from avterm.errors import AvtermError, BadInput, ConfigError, StoreError
from avterm.progress import Silent
from avterm.speech.audio import read_audio
from avterm.store.atomic import read_json
from avterm.store.journal import Journal
from avterm.vision.pictures import read_picture
from avterm.vision.weights import read_weights

EAF = (
    '<?xml version="1.0" encoding="{0}"?><A><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="b" '
    'TIME_VALUE="{1}"/><TIER TIER_ID="words"><ALIGNABLE_ANNOTATION TIME_SLOT_REF1="a" TIME_SLOT_REF2="b">'
    "<ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></TIER></A>"
)
DIGITS = "9" * 5000  # more than Python turns into an int


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    """Twenty seconds of processor time for any of these, a hundred times what they take."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError("took too long")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, 20.0)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def test_a_bracket_and_many_spaces_in_a_textgrid(tmp_path: Path) -> None:
    (tmp_path / "a.TextGrid").write_text('"ooTextFile" [' + " " * 300_000)
    with pytest.raises(BadInput, match="no tier"):
        read_words(tmp_path / "a.TextGrid")


@pytest.mark.parametrize(("encoding", "time"), [("UTF-8", "\u00b2"), ("UTF-8", DIGITS), ("rot13", "5"), ("utf-7", "5")])
def test_odd_digits_and_encodings_in_an_eaf(tmp_path: Path, encoding: str, time: str) -> None:
    (tmp_path / "a.eaf").write_text(EAF.format(encoding, time), encoding="utf-8")
    with pytest.raises(BadInput):
        read_words(tmp_path / "a.eaf")


def test_an_eaf_that_unfolds_to_gigabytes(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    (tmp_path / "a.eaf").write_text(f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a>&l11;</a>')
    with pytest.raises(BadInput, match="expected an ELAN file"):
        read_words(tmp_path / "a.eaf")


@pytest.mark.parametrize("number", ["9" * 400, DIGITS, "1e308"])
def test_times_beyond_numbers(tmp_path: Path, number: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"id": "a", "words": [{{"word": "x", "start": 0, "end": {number}}}]}}\n')
    with pytest.raises(BadInput):
        read_words(tmp_path / "a.jsonl")


@pytest.mark.parametrize("speech", ["..", ".", "/", "a/.."])
def test_recordings_without_a_name(tmp_path: Path, speech: str) -> None:
    (tmp_path / "a.ctm").write_text("0 1 0.0 0.5 a\n")
    corpus = Corpus(tmp_path / "corpus.jsonl", [Pair("a", "0.png", speech), Pair("0", "0.png", "b.wav")])
    assert list(read_words(tmp_path / "a.ctm", corpus)) == ["0"]


@pytest.mark.parametrize("corner", ["9" * 400, "NaN", "Infinity", "true"])
def test_corners_beyond_numbers(tmp_path: Path, corner: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"id": "a", "boxes": [{{"word": "x", "box": [{corner}, 0, 0, 1]}}]}}\n')
    with pytest.raises(BadInput):
        read_boxes(tmp_path / "a.jsonl")


def test_numbers_of_too_many_digits(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(f'{{"id": {DIGITS}, "image": "a", "speech": "b"}}\n')
    (tmp_path / "a.json").write_text(DIGITS)
    (tmp_path / "a.toml").write_text(f"a = {DIGITS}\n")
    with pytest.raises(BadInput):
        Corpus.load(tmp_path)
    with pytest.raises(StoreError):
        read_json(tmp_path / "a.json")
    with pytest.raises(ConfigError):
        read_toml(tmp_path / "a.toml")
    assert parse_setting(f"a.b={DIGITS}") == {"a": {"b": DIGITS}}


@pytest.mark.parametrize("tables", [3, {"model": 3}, {"model": {"width": float("nan")}}, {"model": {"width": 10**400}}])
def test_settings_that_are_none(tables: dict) -> None:
    with pytest.raises(ConfigError):
        override(Config(), tables, "here")


def test_digits_of_other_scripts_in_a_token_file(tmp_path: Path) -> None:
    (tmp_path / "x.token.txt").write_text("a.png#\u00b2\ttext\n")
    assert [p.kind for p in read_written(tmp_path / "x.token.txt")[1]] == ["malformed"]


def test_no_program_is_started_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would run Ghostscript for PostScript, whatever the file's ending."""
    started = []
    monkeypatch.setattr(PIL.EpsImagePlugin, "Ghostscript", lambda *given, **more: started.append(given))
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n")
    with pytest.raises(BadInput, match="no known picture format"):
        read_picture(tmp_path / "a.png")
    assert not started


def test_a_damaged_ogg_file_does_not_end_the_process(tmp_path: Path) -> None:
    """miniaudio's Vorbis decoder reads where no memory is."""
    sound = io.BytesIO()
    soundfile.write(sound, np.random.default_rng(0).normal(0, 0.1, 4_000), 16_000, format="OGG", subtype="VORBIS")
    data = sound.getvalue()
    second = data.index(b"OggS", 4)
    body = second + 28
    for number, repeats in enumerate((3, 12, 40)):
        broken = data[:body] + b"Z" + b"\xff" * 12 + data[body + 13 : body + 60] * repeats + data[body + 60 :]
        (tmp_path / f"{number}.ogg").write_bytes(broken)
    program = (
        "import sys\nfrom avterm.speech.audio import read_audio\nfrom avterm.errors import BadInput\n"
        "for name in sys.argv[1:]:\n    try: read_audio(name)\n    except BadInput: pass\n"
    )
    names = sorted(map(str, tmp_path.glob("*.ogg")))
    assert subprocess.run([sys.executable, "-c", program, *names], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-40], lambda d: d.replace(b"q\x02", b"r\xff", 1), lambda d: b"\x80\x02X"]
)
def test_damaged_pickles_of_weights(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    good = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, good, _use_new_zipfile_serialization=False)
    (tmp_path / "a.pth").write_bytes(damage(good.getvalue()))
    with pytest.raises(BadInput, match="expected VGG-16 weights"):
        read_weights(tmp_path / "a.pth", "VGG-16")


def test_pickled_programs_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(f"cos\nsystem\n(S'touch {tmp_path}/run'\ntR.".encode())
    with pytest.raises(BadInput):
        read_weights(tmp_path / "a.pth", "VGG-16")
    assert not (tmp_path / "run").exists()


def test_pipes_devices_and_loops_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    readers = (Corpus.load, read_json, read_words, read_boxes, lambda p: Journal(p).history(), read_picture, read_audio)
    for read in readers:
        for name in ("pipe.jsonl", "zero.json"):
            with pytest.raises(AvtermError):
                read(tmp_path / name)
    with pytest.raises(BadInput, match="found no recording"):
        import_corpus([tmp_path], tmp_path / "out", Import(), Silent())


def test_an_error_is_no_longer_than_a_screen(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": ["x" * 1_000_000], "image": "a", "speech": "b"}))
    with pytest.raises(BadInput) as caught:
        Corpus.load(tmp_path)
    assert len(str(caught.value)) <= 2000
