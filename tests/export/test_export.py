"""Exports read back by the programs' own readers, and the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pympi
import pytest
import soundfile
from PIL import Image
from praatio import textgrid as praat
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.corpus.words import Word, read_words, words_of
from avterm.errors import BadInput, StoreError, UsageError
from avterm.export import tables
from avterm.export.discovered import Discovered
from avterm.export.stage import export
from avterm.export.textgrid import textgrid
from avterm.export.tiers import Tier, lanes
from avterm.progress import Silent
from avterm.store.curation import curation_path, make_edit
from avterm.store.journal import Journal
from avterm.store.run import Run
from tests.synthetic import make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A made-up run of 12 pairs, 48 groundings, 6 clusters."""
    made = make_run(tmp_path, media=False)
    CliRunner().invoke(app, ["evaluate", str(made.path)])
    return Run.open(made.path)


def decide(run: Run, kind: str, cluster: int, **what: object) -> None:
    Journal(curation_path(run)).append([make_edit(run, run.clusters(), "speech", kind, cluster, **what)])  # type: ignore


def milliseconds(run: Run) -> list[Word]:
    return [Word(w.word, round(w.start, 3), round(w.end, 3)) for w in words_of(run.corpus)["pair 0"]]


def test_overlapping_segments_go_to_tiers_of_their_own() -> None:
    found = lanes("segments", [(0.0, 1.0, "a"), (0.95, 2.0, "b"), (1.0, 1.5, "c"), (3.0, 3.0, "no length")])
    assert [t.name for t in found] == ["segments", "segments 2"]
    assert [i[2] for i in found[0].intervals] == ["a", "c", "no length"]
    assert found[0].intervals[2][:2] == (3.0, 3.001)
    assert lanes("words", []) == [Tier("words", ())]


def test_textgrids_are_read_by_praatio_and_by_us(run: Run, tmp_path: Path) -> None:
    decide(run, "name", 0, value='the "light\nhouse"')
    done = export(Discovered(run), tmp_path / "out", ["textgrid"], Silent())
    assert done["files"] == {"textgrid": 12}
    grid = praat.openTextgrid(str(tmp_path / "out" / "pair_0.TextGrid"), includeEmptyIntervals=False)
    assert grid.tierNames == ("segments", "clusters", "words")
    assert grid.maxTimestamp == 3.0
    names = [(e.start, e.end, e.label) for e in grid.getTier("clusters").entries]
    assert names[0] == (0.1, 0.6, 'the "light house"')
    assert [e.label for e in grid.getTier("words").entries] == ["lighthouse", "castle", "boat", "train"]
    assert [e.label.split()[0] for e in grid.getTier("segments").entries] == ["0", "1", "2", "3"]
    again = read_words(tmp_path / "out" / "pair_0.TextGrid")
    assert again["pair_0"] == milliseconds(run)
    with (tmp_path / "out" / "names.csv").open() as file:
        assert next(csv.DictReader(file)) == {"id": "pair 0", "file": "pair_0"}


def test_an_empty_tier_is_one_empty_interval() -> None:
    assert 'text = ""' in textgrid([Tier("words", ())], 1.5)


def test_eaf_is_read_by_pympi(run: Run, tmp_path: Path) -> None:
    decide(run, "name", 1, value="<castle> & \x1b")
    done = export(Discovered(run), tmp_path / "out", ["elan", "eaf"], Silent())
    assert done["files"] == {"elan": 12}  # two names of one format
    path = tmp_path / "out" / "pair_0.eaf"
    found = pympi.Elan.Eaf(str(path))
    assert set(found.get_tier_names()) == {"segments", "clusters", "words"}
    names = sorted(found.get_annotation_data_for_tier("clusters"))
    assert names[1] == (800, 1300, "<castle> & \\x1b")
    linked = found.get_linked_files()[0]
    assert (path.parent / linked["RELATIVE_MEDIA_URL"]).resolve() == run.corpus.speech_path(
        run.corpus["pair 0"]
    ).resolve()
    assert read_words(path)["pair_0"] == milliseconds(run)


def test_tables_agree_with_the_stores(run: Run, tmp_path: Path) -> None:
    decide(run, "merge", 5, into=0)
    decide(run, "split", 1, member=int(run.clusters().speech.members(1)[0]))
    out = int(run.clusters().speech.members(1)[0])
    done = export(Discovered(run), tmp_path / "out", ["csv", "parquet"], Silent())
    assert done["files"] == {"csv": 2, "parquet": 2}
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "groundings.parquet").to_pylist()
    with (tmp_path / "out" / "groundings.csv").open() as file:
        written = list(csv.DictReader(file))
    assert len(rows) == len(written) == 48
    assert [r["id"] for r in rows] == [r["id"] for r in written]
    assigned = run.clusters().speech.assignment.tolist()
    for i, row in enumerate(rows):
        assert row["cluster"] == (None if i == out else 0 if assigned[i] == 5 else assigned[i])
        assert row["grounding"] == i
        assert written[i]["cluster"] == ("" if row["cluster"] is None else str(row["cluster"]))
    assert (rows[0]["start"], rows[0]["end"], rows[0]["speaker"]) == (0.1, 0.6, "speaker0")
    assert rows[1]["x0"] == pytest.approx(16.0, abs=0.01)
    clusters = pyarrow.parquet.read_table(tmp_path / "out" / "clusters.parquet").to_pylist()
    assert [c["cluster"] for c in clusters] == [0, 1, 2, 3, 4]
    assert clusters[0]["size"] == 16
    assert clusters[0]["merged"] == "5"
    assert clusters[0]["name"] == "lighthouse"


def test_class_file_keeps_every_newline(run: Run, tmp_path: Path) -> None:
    decide(run, "state", 2, value="rejected")
    export(Discovered(run), tmp_path / "out", ["class"], Silent())
    text = (tmp_path / "out" / "discovered.class").read_text()
    assert text.endswith("\n\n")
    assert not text.startswith("\n")
    blocks = text[:-2].split("\n\n")
    assert [b.split("\n")[0] for b in blocks] == [
        "Class 0 lighthouse", "Class 1 castle", "Class 3 train", "Class 4 tree", "Class 5 dog",
    ]  # fmt: skip
    for block in blocks:
        members = [line.split(" ") for line in block.split("\n")[1:]]
        assert len(members) == 8
        assert all(len(m) == 3 and float(m[1]) < float(m[2]) for m in members)
    assert (tmp_path / "out" / "words.wrd").read_text().split("\n")[0] == "pair_0 0.1000 0.6000 lighthouse"


def test_what_is_kept(run: Run) -> None:
    decide(run, "state", 2, value="accepted")
    assert [f.cluster for f in Discovered(run, keep="accepted").facts] == [2]
    assert (Discovered(run, keep="accepted").cluster >= 0).sum() == 8
    variance = float(np.sort(run.clusters().speech.variance)[3])
    assert len(Discovered(run, below=variance).facts) == 3
    assert [p.id for p, _ in Discovered(run, ids=["pair 3", "pair 1"]).pairs()] == ["pair 3", "pair 1"]
    with pytest.raises(BadInput, match="pair 99"):
        Discovered(run, ids=["pair 99"])
    with pytest.raises(UsageError):
        Discovered(run, keep="some")


def test_clips_are_the_segments_and_boxes(tmp_path: Path) -> None:
    run = make_run(tmp_path, pairs=6)
    pair = run.corpus["pair 1"]
    run.corpus.speech_path(pair).write_bytes(b"nothing")
    progress = Silent()
    done = export(Discovered(run), tmp_path / "out", ["clips"], progress, members=3)
    assert [p.id for p in progress.problems] == ["pair 1"]
    sounds = sorted((tmp_path / "out").rglob("*.wav"))
    pictures = sorted((tmp_path / "out").rglob("*.jpg"))
    assert len(pictures) == 18
    assert done["files"]["clips"] == len(sounds) + len(pictures)
    assert {p.parent.name for p in pictures} == {f"{c:04d}-_{c}" for c in range(6)}
    samples, rate = soundfile.read(sounds[0])
    assert (len(samples), rate) == (8000, 16_000)
    assert Image.open(pictures[0]).size == (24, 30)
    row = int(run.clusters().speech.members(0)[0])
    first = next(s for s in sounds if s.name.startswith("001-") and s.parent.name.startswith("0000"))
    of = run.groundings.of_row(row)
    start = int(of.segment[row - of.first][0]) * 160
    whole, _ = soundfile.read(run.corpus.speech_path(run.corpus[of.id]))
    np.testing.assert_allclose(soundfile.read(first)[0], whole[start : start + 8000], atol=1e-4)


def test_missing_pyarrow_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tables.importlib, "import_module", missing)
    with pytest.raises(UsageError, match="avterm\\[parquet\\]"):
        export(Discovered(run), tmp_path / "out", ["parquet"], Silent())


def test_command(run: Run, tmp_path: Path) -> None:
    runner, to = CliRunner(), str(tmp_path / "out")
    result = runner.invoke(app, ["export", str(run.path), "--to", to, "--format", "class", "--format", "csv", "--json"])
    assert result.exit_code == 0, result.exception
    found = json.loads(result.stdout)
    assert (found["files"], found["pairs"], found["clusters"]) == ({"class": 2, "csv": 2}, 12, 6)
    again = runner.invoke(app, ["export", str(run.path), "--to", to])
    assert isinstance(again.exception, StoreError)
    assert "--redo" in str(again.exception)
    result = runner.invoke(app, ["export", str(run.path), "--to", to, "--redo", "--pair", "-"], input="pair 1\n")
    assert result.exit_code == 0
    assert [p.name for p in Path(to).glob("*.TextGrid")] == ["pair_1.TextGrid"]
    ids = ["--format", "class", "--pair", "-"]
    result = runner.invoke(app, ["export", str(run.path), "--to", f"{to}3", *ids], input="nobody\npair 1\n")
    assert result.exit_code == 0
    assert "1 captions" in result.stdout
    assert "left out 1 of 2 pairs: 1 unknown-id" in result.stderr
    assert runner.invoke(app, ["export", str(run.path), "--to", f"{to}4", *ids], input="nobody\n").exit_code == 1
    assert not Path(f"{to}4").exists()
    bad = runner.invoke(app, ["export", str(run.path), "--to", f"{to}2", "--format", "docx"])
    assert isinstance(bad.exception, UsageError)
    assert not Path(f"{to}2").exists()
    assert isinstance(
        runner.invoke(app, ["export", str(run.path), "--to", str(run.path / "run.toml")]).exception, StoreError
    )
    assert runner.invoke(app, ["export", str(run.path)]).exit_code == 2


def test_pairs_that_the_corpus_lost_are_problems(tmp_path: Path) -> None:
    run = make_run(tmp_path, pairs=4, media=False)
    run.corpus.pairs = tuple(p for p in run.corpus if p.id != "pair 0")
    progress = Silent()
    export(Discovered(run), tmp_path / "out", ["textgrid", "elan", "csv", "clips"], progress)
    assert "missing" in {p.kind for p in progress.problems}
