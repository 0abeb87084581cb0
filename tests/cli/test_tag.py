"""`avterm tag`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.corpus.manifest import Corpus
from avterm.errors import AvtermError, BadInput, StoreError, UsageError
from avterm.store.curation import curation_path, make_edit
from avterm.store.evaluation import write_evaluation
from avterm.store.journal import Journal
from avterm.store.run import Run
from tests.retrieval.support import make_searchable, write_sound


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """With the recordings of p0 to p2 on disk, and labels as an evaluation gives them."""
    run = make_searchable(tmp_path_factory.mktemp("tag"))
    for i in range(3):
        write_sound(run.corpus.speech_path(run.corpus[f"p{i}"]), 2.0, i)
    write_evaluation(run, 3, {"overall": {}, "clusters": [{"cluster": c, "label": f"word{c}"} for c in range(3)]})
    return run


def tag(run: Run, *arguments: str | Path, stdin: str | None = None) -> tuple[int, str, str, BaseException | None]:
    result = CliRunner().invoke(app, ["tag", str(run.path), *map(str, arguments)], input=stdin)
    return result.exit_code, result.stdout, result.stderr, result.exception


def rows(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_files_folders_and_pairs(made: Run, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    first = write_sound(tmp_path / "a.wav", 2.0, 7)
    second = write_sound(tmp_path / "deep" / "b.flac", 2.0, 8)
    (tmp_path / "notes.txt").write_text("no sound")
    code, out, _, _ = tag(made, tmp_path, "p0", "--min-confidence", "0")
    assert code == 0
    found = rows(out)
    assert list(dict.fromkeys(r["recording"] for r in found)) == [
        str(first), str(second), str(made.corpus.speech_path(made.corpus["p0"]).resolve()),
    ]  # fmt: skip
    assert {r["id"] for r in found} == {None, "p0"}
    for row in found:
        assert set(row) == {"recording", "id", "start", "end", "cluster", "name", "label", "confidence"}
        assert 0 <= row["start"] < row["end"] <= 2.0
        assert 0 <= row["confidence"] <= 1
        assert row["label"] == f"word{row['cluster']}"
    code, out, _, _ = tag(made, "-", "--min-confidence", "0", stdin="p0\n")
    assert rows(out) == [r for r in found if r["id"] == "p0"]
    least = sorted(r["confidence"] for r in found)[-1]
    assert all(r["confidence"] >= least for r in rows(tag(made, tmp_path, "--min-confidence", str(least))[1]))


def test_rejected_clusters_are_left_out_and_only_accepted_ones_kept(tmp_path: Path) -> None:
    run = make_searchable(tmp_path)
    sound = write_sound(tmp_path / "a.wav", 3.0)
    before = {r["cluster"] for r in rows(tag(run, sound, "--min-confidence", "0")[1])}
    gone = min(before)
    Journal(curation_path(run)).append([make_edit(run, run.clusters(), "speech", "state", gone, value="rejected")])
    assert gone not in {r["cluster"] for r in rows(tag(run, sound, "--min-confidence", "0")[1])}
    assert rows(tag(run, sound, "--min-confidence", "0.01", "--keep", "accepted")[1]) == []


def test_silence_is_explained(tmp_path: Path) -> None:
    run = make_searchable(tmp_path)
    sound = write_sound(tmp_path / "a.wav", 3.0)
    known = [row["confidence"] for row in rows(tag(run, sound, "--min-confidence", "0")[1])]
    assert max(known) < 1
    code, out, err, _ = tag(run, sound, "--min-confidence", "1")
    assert (code, out) == (0, "")
    lie = "1 tag lies" if len(known) == 1 else f"{len(known)} tags lie"
    said = f"{lie} below the confidence of 1, the highest at {max(known):.3f}; see --min-confidence\n"
    assert said in err
    assert said in tag(run, sound, "--min-confidence", "1", "--format", "elan", "--out", tmp_path / "out")[2]
    assert "lie" not in tag(run, sound, "--min-confidence", "0")[2]


def test_one_unknown_name_of_several_is_left_out(made: Run) -> None:
    code, out, err, _ = tag(made, "-", "--min-confidence", "0", stdin="nobody\np0\n")
    assert code == 0
    assert {row["id"] for row in rows(out)} == {"p0"}
    assert "left out nobody: unknown: nobody: no such file or folder, and no pair of this id" in err
    assert "left out 1 of 2 recordings: 1 unknown" in err
    assert tag(made, "nobody", "p0", "--strict")[0] == 1
    code, _, _, error = tag(made, "nobody", "nothing")
    assert code == 1
    assert str(error).startswith("nobody: no such file")


def test_files_for_praat_and_elan(made: Run, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "a.wav", 2.0)
    for name, ending in (("textgrid", "TextGrid"), ("elan", "eaf")):
        code, out, _, _ = tag(made, sound, "p0", "--format", name, "--out", tmp_path / name, "--min-confidence", "0")
        assert code == 0
        assert out.startswith(f"{tmp_path / name}: 2 {name} files, ")
        assert {p.name for p in (tmp_path / name).iterdir()} == {f"a.{ending}", f"0.{ending}"}
    code, _, _, error = tag(made, sound, "--format", "elan", "--out", tmp_path / "elan")
    assert code == 1
    assert isinstance(error, StoreError)
    assert tag(made, sound, "--format", "elan", "--out", tmp_path / "elan", "--redo")[0] == 0


def test_words_tell_how_good_it_is(made: Run, tmp_path: Path) -> None:
    found = rows(tag(made, "p0", "p2", "--min-confidence", "0")[1])
    words = tmp_path / "words.ctm"
    true = next(r for r in found if r["id"] == "p0")
    words.write_text(
        f"0 1 {true['start']} {true['end'] - true['start']:.2f} {true['label']}\n0 1 2.5 0.3 elsewhere\n"
        "2 1 1.99 0.01 word0\n"
    )
    code, out, err, _ = tag(made, "p0", "p2", "--evaluate", words, "--json")
    assert code == 0
    first = rows(out)[0]
    assert first["recordings"] == 2
    assert first["tags"] == len(found)
    assert (first["right"], first["spoken"], first["found"], first["recall"]) == (1, 2, 1, 0.5)
    assert first["precision"] == pytest.approx(1 / len(found))
    assert [r["min_confidence"] for r in rows(out)][:3] == [0.0, 0.1, 0.2]
    assert "2 of these recordings are captions that clusters were made from" in err
    code, out, _, _ = tag(made, "p0", "p2", "--evaluate", words)
    assert out.splitlines()[0] == "2 recordings, 2 words that are the label of a cluster"
    assert out.splitlines()[2].split()[:3] == ["0.00", str(len(found)), "1"]
    code, _, _, error = tag(made, "p0", "p1", "--evaluate", words)
    assert code == 1
    assert "has no words of" in str(error)


def test_splits_name_captions(made: Run) -> None:
    whole = Corpus.load(made.corpus_path)
    code, out, err, _ = tag(made, "--split", "train", "--min-confidence", "0")
    assert code == 0
    assert {r["id"] for r in rows(out)} == {"p0", "p1", "p2"}
    assert f"left out {len(whole) - 3} of {len(whole)} recordings" in err
    assert tag(made, "--split", "train", "--strict")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], UsageError), (["nobody"], BadInput), (["p0", "--format", "textgrid"], UsageError),
        (["p0", "--out", "x"], UsageError), (["p0", "--keep", "all"], UsageError), (["p5"], AvtermError),
        (["p0", "--format", "praat", "--out", "{new}"], UsageError), (["{empty}"], BadInput),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(made: Run, tmp_path: Path, arguments: list[str], error: type[AvtermError]) -> None:
    (tmp_path / "empty").mkdir()
    given = [a.replace("{new}", str(tmp_path / "new")).replace("{empty}", str(tmp_path / "empty")) for a in arguments]
    code, out, _, found = tag(made, *given)
    assert (code, out) == (1, "")
    assert isinstance(found, error)
