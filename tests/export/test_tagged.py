"""Tags as files, read back by the programs' own readers."""

from __future__ import annotations

from pathlib import Path

import pympi
import pytest
from praatio import textgrid as praat

from avterm.errors import StoreError, UsageError
from avterm.export.tagged import TaggedFolder
from avterm.retrieval.tag import Tag, Tagged

TAGS = [Tag(0.4, 0.9, 7, None, "lighthouse", 0.913), Tag(0.9, 1.35, 2, "mbwa \x1b[2J", None, 0.5)]


def test_textgrid_and_elan_are_read_back(tmp_path: Path) -> None:
    recording = tmp_path / "new.wav"
    recording.write_bytes(b"sound")
    path = TaggedFolder(tmp_path / "praat", "textgrid", [recording]).write(Tagged(recording, 2.0, TAGS))
    assert path == tmp_path / "praat" / "new.TextGrid"
    grid = praat.openTextgrid(str(path), includeEmptyIntervals=False)
    assert grid.maxTimestamp == 2.0
    assert [tuple(e) for e in grid.getTier("segments").entries] == [(0.4, 0.9, "7 (0.91)"), (0.9, 1.35, "2 (0.50)")]
    assert [e.label for e in grid.getTier("clusters").entries] == ["lighthouse", "mbwa \\x1b[2J"]
    for kind in ("elan", "eaf"):
        path = TaggedFolder(tmp_path / kind, kind, [recording]).write(Tagged(recording, 2.0, TAGS))
        elan = pympi.Elan.Eaf(str(path))
        assert elan.get_annotation_data_for_tier("clusters")[0][:3] == (400, 900, "lighthouse")
        assert elan.get_linked_files()[0]["MEDIA_URL"] == recording.as_uri()


def test_a_recording_without_tags_gives_an_empty_file(tmp_path: Path) -> None:
    path = TaggedFolder(tmp_path / "out", "textgrid", [tmp_path / "a.wav"]).write(Tagged(tmp_path / "a.wav", 1.5, []))
    assert praat.openTextgrid(str(path), includeEmptyIntervals=True).maxTimestamp == 1.5


def test_recordings_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / "x" / "a.wav", tmp_path / "y" / "a.wav", tmp_path / "b.wav"]
    folder = TaggedFolder(tmp_path / "out", "textgrid", paths)
    names = {folder.write(Tagged(path, 1.0, [])).name for path in paths}
    assert len(names) == 3
    assert "b.TextGrid" in names


def test_folders_that_hold_something_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        TaggedFolder(tmp_path / "out", "textgrid", [])
    TaggedFolder(tmp_path / "out", "textgrid", [], redo=True)
    with pytest.raises(StoreError, match="found a file"):
        TaggedFolder(tmp_path / "out" / "mine.txt", "textgrid", [])
    with pytest.raises(UsageError, match="--format praat: expected json, textgrid or elan"):
        TaggedFolder(tmp_path / "new", "praat", [])
