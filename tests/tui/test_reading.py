"""Lines found by id, and the media of a pair."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avterm.errors import BadInput
from avterm.store.features import SPEECH, shard_path, write_features
from avterm.tui.lines import JsonLines
from avterm.tui.media import Media, Spoken, look_at, spoken
from tests.synthetic import make_run
from tests.tui.support import READERS

IDS = st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=IDS, ascii_only=st.booleans(), tight=st.booleans(), id_last=st.booleans())
def test_find_equals_a_dictionary(tmp_path, ids, ascii_only, tight, id_last):
    records = [{"n": i, "id": id} if id_last else {"id": id, "n": i} for i, id in enumerate(ids)]
    separators = (",", ":") if tight else None
    text = "".join(json.dumps(r, ensure_ascii=ascii_only, separators=separators) + "\n" for r in records)
    path = tmp_path / "lines.jsonl"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    lines = JsonLines(path)
    for i, id in enumerate(ids):
        assert lines.find(id) == records[i]
        assert lines.line(id) == i
    assert lines.find("not there at all") is None
    assert lines.line("not there at all") is None


def test_unforeseen_spelling_and_damaged_lines(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"id"  :  "a", "n": 1}\nnot json\n[1]\n{"id": 3}\n{"text": "\\"id\\": \\"b\\"", "id" : "b"}')
    lines = JsonLines(path)
    assert lines.find("a") == {"id": "a", "n": 1}
    assert lines.find("b")["text"] == '"id": "b"'
    assert lines.find("3") is None


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b"\xff\xfe"])
def test_files_without_records(tmp_path, content):
    path = tmp_path / "lines.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert JsonLines(path).find("a") is None


def test_pair_and_words(tmp_path):
    media = Media(make_run(tmp_path, media=False), READERS)
    assert media.pair("pair 3").speaker == "speaker0"
    assert media.words("pair 0")[0] == Spoken("lighthouse", 0.1, 0.6)
    with pytest.raises(BadInput, match="not in"):
        media.pair("pair 300")
    assert media.words("pair 300") == []


def test_unusable_words_are_left_out(tmp_path):
    run = make_run(tmp_path, media=False)
    words = [{"word": "a", "start": 0, "end": 1}, {"word": 3, "start": 0, "end": 1}, "x", {"word": "b"}]
    run.corpus.words_path.write_text(json.dumps({"id": "pair 0", "words": words}) + '\n{"id": "pair 1", "words": 3}')
    media = Media(run, READERS)
    assert media.words("pair 0") == [Spoken("a", 0.0, 1.0)]
    assert media.words("pair 1") == []


def features(run, blocks, ids):
    """Speech shards of `blocks` pairs each; pair i's mel is filled with i."""
    at = 0
    for number, size in enumerate(blocks):
        mine = ids[at : at + size]
        write_features(
            shard_path(run.features_path, SPEECH, number),
            SPEECH,
            "made up",
            {
                "id": mine,
                "offset": np.arange(len(mine) + 1, dtype=np.int64) * 5,
                "mel": np.repeat(np.arange(at, at + size, dtype=np.float16), 5)[:, None] * np.ones((1, 40), np.float16),
                "active": np.ones(5 * len(mine), np.uint8),
            },
            [],
        )
        at += size


@pytest.mark.parametrize("blocks", [[12], [5, 7], [2, 2, 2, 2, 2, 2]])
def test_mels_come_from_the_shard_that_holds_the_pair(tmp_path, blocks):
    run = make_run(tmp_path, media=False)
    features(run, blocks, [f"pair {i}" for i in range(12)])
    media = Media(run, READERS)
    assert media.mel("pair 9").shape == (5, 40)
    assert media.mel("pair 9")[0, 0] == 9
    assert len(media._features._open) <= 4


def test_damaged_features_fall_back_on_the_recording(tmp_path):
    run = make_run(tmp_path, media=False)
    features(run, [12], [f"pair {i}" for i in range(12)])
    path = shard_path(run.features_path, SPEECH, 0)
    data = bytearray(path.read_bytes())
    data[-1] ^= 255
    path.write_bytes(data)
    assert Media(run, READERS).mel("pair 9").shape == (300, 40)


def test_big_pictures_are_made_smaller(tmp_path):
    from dataclasses import replace

    readers = replace(READERS, picture=lambda path: np.zeros((4000, 3000, 3), np.uint8))
    assert max(Media(make_run(tmp_path, media=False), readers).picture("pair 0").shape) <= 1000


def test_what_cannot_be_read_is_said(tmp_path):
    def refuse(path):
        raise BadInput(f"{path}: no such file")

    from dataclasses import replace

    media = Media(make_run(tmp_path, media=False), replace(READERS, audio=refuse, picture=refuse))
    seen = look_at(media, "pair 2")
    assert seen.mel is None
    assert "2.flac: no such file" in seen.no_mel
    assert "2.png: no such file" in seen.no_picture
    assert seen.pair.id == "pair 2"
    assert look_at(media, "nobody").pair is None


def test_spoken_words_of_a_segment():
    words = [Spoken("the", 0.0, 0.2), Spoken("lighthouse", 0.2, 0.8), Spoken("stands", 0.8, 1.4)]
    assert spoken(words, 10, 80) == "the lighthouse"
    assert spoken(words, 70, 100) == "stands"
    assert spoken(words, 300, 400) is None
