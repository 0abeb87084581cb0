"""`avterm search`, and the searcher of `avterm browse`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from avterm.cli.browse import open_session
from avterm.cli.main import app
from avterm.errors import AvtermError, BadInput, UsageError
from avterm.retrieval.hits import kind_of
from avterm.store.run import Run
from avterm.tui.screens.search import SearchPage
from tests.retrieval.support import make_searchable, one_backbone, write_sound
from tests.tui.support import make_app, settle

KINDS = {"sound": ["picture", "segment", "speech-cluster", "image-cluster"],
         "picture": ["caption", "speech-cluster", "image-cluster"]}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_searchable(tmp_path_factory.mktemp("search"))


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    one_backbone(monkeypatch)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "q.png")
    return tmp_path / "q.png"


def search(run: Run, *arguments: str | Path, stdin: str | None = None) -> tuple[int, str, str, BaseException | None]:
    result = CliRunner().invoke(app, ["search", str(run.path), *map(str, arguments)], input=stdin)
    return result.exit_code, result.stdout, result.stderr, result.exception


def rows(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_sound_and_a_picture_find_every_kind(made: Run, tmp_path: Path, picture: Path) -> None:
    sound = write_sound(tmp_path / "q.wav")
    code, out, _, _ = search(made, sound, picture, "-n", "2", "--json")
    assert code == 0
    found = rows(out)
    for path, by in ((sound, "sound"), (picture, "picture")):
        mine = [row for row in found if row["query"] == str(path)]
        assert list(dict.fromkeys(row["kind"] for row in mine)) == KINDS[by]
        assert {row["by"] for row in mine} == {by}
        for kind in KINDS[by]:
            hits = [row for row in mine if row["kind"] == kind]
            assert [row["rank"] for row in hits] == [1, 2][: len(hits)]  # crops may all be in one cluster
            apart = kind in ("segment", "speech-cluster" if by == "sound" else "image-cluster")
            assert {row["measure"] for row in hits} == {"distance" if apart else "similarity"}
            values = [row["value"] for row in hits]
            assert values == sorted(values, reverse=not apart)
            assert not apart or min(values) >= 0
    segment = next(row for row in found if row["kind"] == "segment")
    assert segment["start"] < segment["end"]
    assert 0 <= segment["in_query"]["start"] < segment["in_query"]["end"] <= 1.5
    box = next(row for row in found if row["kind"] == "image-cluster" and row["by"] == "picture")["in_query"]["box"]
    assert 0 <= box[0] < box[2] <= 60


def test_a_pair_is_searched_with_by_both_and_does_not_find_its_own_segments(made: Run) -> None:
    code, out, _, _ = search(made, "p0", "-n", "50", "--json")
    assert code == 0
    assert {(row["by"], row["kind"]) for row in rows(out)} == {(by, kind) for by in KINDS for kind in KINDS[by]}
    assert "p0" not in {row["id"] for row in rows(out) if row["kind"] == "segment"}
    assert "p0" in {row["id"] for row in rows(out) if row["kind"] == "caption"}
    code, out, _, _ = search(made, "-", "--by", "sound", "--kind", "picture", "-n", "1", stdin="p0\n\np2\n")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "p0, by its sound: pictures"
    assert lines[3] == "p2, by its sound: pictures"
    assert len(lines) == 6


def test_text_names_what_is_measured(made: Run, tmp_path: Path) -> None:
    code, out, _, _ = search(made, write_sound(tmp_path / "q.wav"), "-n", "1")
    assert code == 0
    lines = out.splitlines()
    assert [line.split() for line in lines[1::3]] == [
        ["rank", measure] for measure in ("similarity", "distance", "distance", "similarity")
    ]
    assert all(line.split()[0] == "1" for line in lines[2::3])
    assert float(lines[5].split()[1]) >= 0


def test_whole_pairs_of_a_split_only(made: Run) -> None:
    code, _, _, error = search(made, "p0", "--split", "val")
    assert code == 1
    assert isinstance(error, BadInput)
    assert "no pair of split val has features" in str(error)
    assert search(made, "p0", "--split", "train")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nobody"], BadInput), (["p1", "--by", "smell"], UsageError), (["p0", "--kind", "word"], UsageError),
        (["p5", "--by", "picture"], BadInput), (["p0", "--device", "abacus"], UsageError),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(made: Run, arguments: list[str], error: type[AvtermError]) -> None:
    code, out, _, found = search(made, *arguments)
    assert (code, out) == (1, "")
    assert isinstance(found, error)


def test_one_bad_query_of_several_is_named_and_left_out(made: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    code, out, err, _ = search(made, "p0", tmp_path / "notes.txt", "nobody", "--by", "sound", "--json")
    assert code == 0
    assert {row["query"] for row in rows(out)} == {"p0"}
    assert "left out 2 of 3 queries" in err
    assert "notes.txt" in err
    assert search(made, "p0", "nobody", "--strict")[0] == 1
    code, _, _, error = search(made, "no", "body")
    assert code == 1
    assert "not one query could be read" in str(error)


def test_endings() -> None:
    assert [kind_of(Path(name)) for name in ("a.WAV", "b.jpeg", "c.txt", "d")] == ["sound", "picture", None, None]


def test_a_run_without_clusters_still_finds_captions_and_segments(tmp_path: Path) -> None:
    run = make_searchable(tmp_path)
    for path in (run.path / "clusters").iterdir():
        path.unlink()
    run.unfinish("cluster")
    code, out, _, _ = search(run, "p0", "--json")
    assert code == 0
    assert {row["kind"] for row in rows(out)} == {"picture", "segment", "caption"}


async def test_browse_finds_clusters_and_pairs(made: Run, tmp_path: Path, picture: Path) -> None:
    session = open_session(made, None)
    assert session._searcher is None  # nothing is loaded until somebody searches
    app = make_app(session)
    async with app.run_test(size=(100, 30)) as pilot:
        for path, kind in ((write_sound(tmp_path / "said.wav"), "sound"), (picture, "picture")):
            page = SearchPage(session, path, kind)
            await app.push_screen(page)
            await settle(pilot, 5)
            assert {hit.kind for hit in page.hits} == {"cluster", "pair"}
            clusters = [hit for hit in page.hits if hit.kind == "cluster"]
            assert {(hit.modality, hit.measure) for hit in clusters} == {
                ("speech", "distance" if kind == "sound" else "similarity"),
                ("image", "distance" if kind == "picture" else "similarity"),
            }
            assert all(hit.value == -hit.score >= 0 for hit in clusters if hit.measure == "distance")
            assert str(page.query_one("#status").render()).strip() == f"nearest to {path.name}"
            assert len(page.query_one("#hits")) == len(page.hits)


def test_browse_looks_for_a_model_without_loading_one(made: Run, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom avterm.cli.browse import open_session\nfrom avterm.store.run import Run\n"
        "assert open_session(Run.open(sys.argv[1]), None).searcher is not None\n"
        "print([m for m in ('torch', 'numba', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(made.path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
