"""What is named on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import BadInput, UsageError
from avterm.retrieval.queries import queries_of, recordings_of, shown


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(
        tmp_path / "c" / "corpus.jsonl", [Pair("a", "a.png", "a.wav"), Pair("b.wav", "b.png", "b.wav", "val")]
    )


def test_a_file_is_taken_by_its_ending_and_wins_over_an_id(corpus: Corpus, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b.wav").write_bytes(b"")
    [query] = queries_of("b.wav", corpus)
    assert (query.by, query.path, query.pair) == ("sound", Path("b.wav"), None)
    Path("odd").write_bytes(b"")
    with pytest.raises(BadInput, match="neither a sound nor a picture"):
        queries_of("odd", corpus)
    assert queries_of("odd", corpus, "picture")[0].by == "picture"
    assert [(q.by, q.pair) for q in queries_of("a", corpus)] == [("sound", corpus["a"]), ("picture", corpus["a"])]
    assert [q.by for q in queries_of("a", corpus, "picture")] == ["picture"]
    with pytest.raises(BadInput, match="c: no such file, and no pair of this id"):
        queries_of("c", corpus)
    with pytest.raises(UsageError, match="--by taste"):
        queries_of("a", corpus, "taste")


def test_recordings_are_found_in_folders_by_name_then_by_split(corpus: Corpus, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("field/2.wav", "field/1.FLAC", "field/deep/0.mp3", "field/notes.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")
    found = list(recordings_of(["field", "a"], corpus, ["val"]))
    assert [(str(r.path), r.id) for r in found[:3]] == [
        ("field/1.FLAC", None),
        ("field/2.wav", None),
        ("field/deep/0.mp3", None),
    ]
    assert [r.id for r in found[3:]] == ["a", "b.wav"]
    Path("empty").mkdir()
    for name, message in (("empty", "no recording in this folder"), ("z", "no such file or folder")):
        with pytest.raises(BadInput, match=message):
            list(recordings_of([name], corpus))


def test_paths_are_shown_from_here(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert shown(tmp_path / "a" / ".." / "a" / "x.png") == "x.png"
    assert shown(tmp_path / "a" / ".." / "y.png") == str(tmp_path.resolve() / "y.png")
