"""`avterm curate` from the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.errors import AvtermError, BadInput, StoreError, UsageError
from avterm.store.curation import curation_path, make_edit, read_curation
from avterm.store.journal import Journal
from tests.synthetic import make_run

runner = CliRunner()


@pytest.fixture
def run(tmp_path):
    run = make_run(tmp_path / "one", media=False)
    clusters = run.clusters()
    row = int(clusters.speech.members(1)[0])
    Journal(curation_path(run)).append([
        make_edit(run, clusters, "speech", "name", 1, value="castle\x1b[31m"),
        make_edit(run, clusters, "speech", "state", 1, value="accepted"),
        make_edit(run, clusters, "speech", "note", 1, value="two senses"),
        make_edit(run, clusters, "speech", "split", 1, member=row),
        make_edit(run, clusters, "speech", "merge", 2, into=1),
        make_edit(run, clusters, "image", "name", 4, value="tree"),
    ])  # fmt: skip
    return run


def invoke(*arguments, **options):
    return runner.invoke(app, ["curate", *map(str, arguments)], **options)


def test_list(run):
    result = invoke("list", run.path)
    assert result.exit_code == 0
    assert "castle\\x1b[31m" in result.stdout
    assert "1 split off" in result.stdout
    assert "merged into 1" in result.stdout
    assert "tree" not in result.stdout
    assert "tree" in invoke("list", run.path, "--modality", "image").stdout


def test_list_as_json(run):
    records = [json.loads(line) for line in invoke("list", run.path, "--json", "-k", 6).stdout.splitlines()]
    assert [r["cluster"] for r in records] == [1, 2]
    assert records[0] == {"cluster": 1, "modality": "speech", "state": "accepted", "name": "castle\x1b[31m",
                          "note": "two senses", "merged_into": None, "split_off": 1}  # fmt: skip


def test_export_and_import_move_everything(run, tmp_path):
    result = invoke("export", run.path)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 6
    other = make_run(tmp_path / "two", media=False)
    path = tmp_path / "decisions.jsonl"
    assert invoke("export", run.path, "-o", path).exit_code == 0
    imported = invoke("import", other.path, path)
    assert imported.exit_code == 0
    assert "6 decisions added" in imported.stdout
    assert invoke("list", other.path, "--json").stdout == invoke("list", run.path, "--json").stdout
    again = invoke("import", other.path, "-", "--json", input=result.stdout)
    assert json.loads(again.stdout) == {"read": 6, "added": 0, "left_out": 0}
    assert read_curation(other, modality="image").name(4) == "tree"


def test_undone_decisions_are_not_exported(run):
    Journal(curation_path(run)).undo()
    assert len(invoke("export", run.path).stdout.splitlines()) == 5


def test_lines_that_cannot_be_used_are_named_and_left_out(run, tmp_path):
    path = tmp_path / "decisions.jsonl"
    good = invoke("export", run.path).stdout.splitlines()[0]
    path.write_text(f'{good}\nnot json\n\n{{"kind": "name"}}\n')
    other = make_run(tmp_path / "two", media=False)
    result = invoke("import", other.path, path)
    assert result.exit_code == 0
    assert "1 decisions added" in result.stdout
    assert f"{path}:2" in result.stderr
    assert f"{path}:4" in result.stderr
    third = make_run(tmp_path / "three", media=False)
    strict = invoke("import", third.path, path, "--strict")
    assert isinstance(strict.exception, AvtermError)
    assert not curation_path(third).exists()


def test_what_fits_no_cluster_is_told(run, tmp_path):
    other = make_run(tmp_path / "two", media=False)
    lines = invoke("export", run.path).stdout.splitlines()
    record = json.loads(lines[0]) | {"clusters": "x", "groundings": "y", "anchors": [["nobody", 0, 50, 3]]}
    invoke("import", other.path, "-", input=json.dumps(record))
    result = invoke("list", other.path)
    assert result.stdout == ""
    assert "fits no cluster here" in result.stderr


@pytest.mark.parametrize(("arguments", "kind"), [
    (["list", "{run}", "-k", "99"], StoreError), (["list", "{run}", "--modality", "smell"], UsageError),
    (["list", "/no/such"], StoreError), (["import", "{run}", "/no/such.jsonl"], BadInput),
    (["export", "/no"], StoreError),
])  # fmt: skip
def test_failures(run, arguments, kind):
    result = invoke(*[a.replace("{run}", str(run.path)) for a in arguments])
    assert isinstance(result.exception, kind)
    assert "\n" not in str(result.exception)
