"""Labels, purity, coverage and localisation on cases worked out by hand; the command on a made-up run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from avterm.cli.main import app
from avterm.clustering.stage import cluster
from avterm.corpus.boxes import TrueBox, boxes_of
from avterm.corpus.words import Word, words_of
from avterm.errors import StoreError, UsageError
from avterm.evaluation.labels import (
    SILENCE,
    UNKNOWN,
    cluster_quality,
    contains,
    count_instances,
    overall,
    segment_label,
)
from avterm.evaluation.localisation import locate
from avterm.evaluation.stage import evaluate
from avterm.evaluation.tables import render
from avterm.progress import Silent
from avterm.store.clusters import write_clusters
from avterm.store.evaluation import Labels, evaluation_path, read_evaluation
from avterm.store.groundings import MODALITIES, write_groundings
from avterm.store.run import Run
from avterm.store.shards import Shard
from tests.synthetic import make_run

WORDS = [Word("the", 0.0, 0.2), Word("light", 0.2, 1.2), Word("house", 1.2, 1.6)]


@pytest.mark.parametrize(
    ("start", "end", "label"),
    [
        (0.0, 1.6, "the light house"),
        (0.14, 0.5, "the light"),  # exactly 30% of both
        (0.15, 0.49, SILENCE),
        (1.0, 1.32, "house"),
        (2.0, 3.0, SILENCE),
    ],
)
def test_label_is_every_word_with_thirty_percent_inside(start: float, end: float, label: str) -> None:
    assert segment_label(WORDS, start, end) == label


def test_whole_words_only() -> None:
    assert contains("the light house", "light house")
    assert not contains("the lighthouse", "light")


def test_purity_and_coverage_by_hand() -> None:
    labels = ["dog", "the dog", "dog", "cat", "cat", "dog cat", SILENCE]
    assignment = np.array([0, 0, 0, 0, 1, 1, 2])
    found = cluster_quality(labels, assignment, 4, {"dog": 6, "cat": 4})
    assert [c.label for c in found] == ["dog", "cat", SILENCE, ""]
    assert [c.purity for c in found[:3]] == [0.75, 1.0, 1.0]
    assert [c.coverage for c in found[:2]] == [0.5, 0.5]
    whole = overall(found, np.array([0.1, 0.5, 0.2, np.nan]))
    assert (whole["clusters"], whole["points"], whole["labels"]) == (3, 7, 2)
    assert whole["purity"] == pytest.approx(6 / 7)
    assert overall(found, np.array([0.1, 0.5, 0.2, np.nan]), 0.15)["points"] == 4


def test_a_tie_goes_to_the_first_in_the_alphabet() -> None:
    assert cluster_quality(["b", "a"], np.array([0, 0]), 1, {})[0].label == "a"


def test_instances_of_phrases() -> None:
    captions = [[Word(w, 0, 1) for w in ["a", "dog", "and", "a", "dog"]]]
    assert count_instances(captions, ["dog", "a dog", "dog a", SILENCE]) == {"dog": 2, "a dog": 2}


def test_localisation_by_hand() -> None:
    boxes = [TrueBox("dog", (0, 0, 10, 10)), TrueBox("cat", (20, 0, 30, 10))]
    box = np.array([5, 0, 15, 10])
    found = locate(box, (0.25, 1.15), "light", [*boxes, TrueBox("light", (0, 0, 10, 10))], WORDS)
    assert (found.word, found.pointing, found.borders) == ("light", True, (True, True))
    assert found.iou == pytest.approx(50 / 150)
    assert not locate(box, (0.0, 0.3), "cat", boxes, WORDS).pointing
    assert locate(box, (5.0, 6.0), SILENCE, boxes, WORDS).borders is None
    assert locate(box, (0.3, 1.31), "light", boxes, WORDS).borders == (True, False)  # exactly 100 ms, and 110


def test_tables_in_every_format() -> None:
    rows = [{"label": "a_b & c", "purity": 0.5}, {"label": "d", "purity": float("nan")}]
    assert render(rows).splitlines()[1].split() == ["a_b", "&", "c", "0.500"]
    assert render(rows, "csv").splitlines() == ["label,purity", "a_b & c,0.5", "d,"]
    assert json.loads(render(rows, "json").splitlines()[1]) == {"label": "d", "purity": None}
    assert r"a\_b \& c & 0.500 \\" in render(rows, "latex")
    hostile = [{"label": "\x1b[2J\\input{x}\n", "purity": 1}]
    assert render(hostile).splitlines()[1].startswith("\\x1b[2J\\input{x} ")
    assert r"\textbackslash{}input\{x\}" in render(hostile, "latex")
    assert render([]) == "\n"
    with pytest.raises(UsageError):
        render(rows, "html")


def test_columns_stand_under_each_other_in_every_script() -> None:
    rows = [{"label": label, "n": 1} for label in ("灯台", "e\u0301te\u0301", "abcd")]
    assert render(rows) == "label  n\n灯台   1\ne\u0301te\u0301    1\nabcd   1\n"


def test_command(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    runner, path = CliRunner(), str(run.path)
    result = runner.invoke(app, ["evaluate", path, "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["purity"] == 1.0  # the synthetic run's clusters are its words
    assert found["labels"] == 6
    assert found["by_word"]["lighthouse"]["pointing"] == 1.0
    for table in ("3", "4"):
        assert runner.invoke(app, ["evaluate", path, "--table", table, "--paper"]).exit_code == 0
    assert "lighthouse" in runner.invoke(app, ["evaluate", path, "--table", "2", "--cluster", "0"]).stdout
    assert isinstance(runner.invoke(app, ["evaluate", path, "--table", "1"]).exception, StoreError)
    rows = runner.invoke(app, ["evaluate", path, "--table", "2", "--cluster", "0", "--json"]).stdout.splitlines()
    assert json.loads(rows[0])["label"] == "lighthouse"
    for wrong in (["--table", "7"], ["--table", "2"], ["--table", "3", "--format", "html"]):
        assert isinstance(runner.invoke(app, ["evaluate", path, *wrong]).exception, UsageError)
    assert isinstance(runner.invoke(app, ["evaluate", str(tmp_path)]).exception, StoreError)
    assert found["nmi"] == 1.0
    assert found["purity_interval"] == [1.0, 1.0]
    run.corpus.words_path.unlink()
    result = runner.invoke(app, ["evaluate", path])
    assert result.exit_code == 0
    assert "by variance" in result.stdout
    table = runner.invoke(app, ["evaluate", path, "--table", "4", "--format", "json"])
    row = json.loads(table.stdout.splitlines()[0])
    assert (row["clusters"], row["points"], row["purity"]) == (6, 48, None)
    assert isinstance(runner.invoke(app, ["evaluate", path, "--table", "2", "--cluster", "0"]).exception, StoreError)


def test_what_was_evaluated_is_read_back_until_anything_changes(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    words, boxes = words_of(run.corpus), boxes_of(run.corpus)
    first = evaluate(run, [6], words, boxes, Silent())[6]
    path = evaluation_path(run, 6)
    written = path.stat().st_mtime_ns
    assert evaluate(run, [6], words, boxes, Silent())[6] == json.loads(path.read_text())
    assert path.stat().st_mtime_ns == written
    words["pair 0"] = [Word("cat", w.start, w.end) for w in words["pair 0"]]
    assert evaluate(run, [6], words, boxes, Silent())[6]["overall"]["purity"] < first["overall"]["purity"]
    with Shard(run.clusters().path, "clusters") as shard:
        names = [f"{m}/{n}" for m in MODALITIES for n in ("centroid", "assignment", "distance", "size")]
        names += [f"{m}/{n}" for m in MODALITIES for n in ("variance", "order", "offset")]
        arrays = {name: shard[name][:] for name in [*names, "affinity"]}
    write_clusters(run.clusters().path, "made again", arrays, {"k": 6})
    assert read_evaluation(run, 6) is None


def test_groundings_made_again_with_the_same_settings_are_evaluated_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    words, boxes = words_of(run.corpus), boxes_of(run.corpus)
    first = evaluate(run, [6], words, boxes, Silent())[6]
    path = run.groundings.paths[0]
    with Shard(path, "groundings") as shard:
        names = [
            "offset",
            "size",
            "frames",
            "box",
            "segment",
            "score",
            "silence",
            "speech_embedding",
            "image_embedding",
        ]
        arrays = {name: shard[name][:] for name in names} | {"id": shard.texts("id")}
        key = shard.header.fingerprint
    arrays["segment"] = arrays["segment"] + 70
    write_groundings(path, key, arrays, [])
    again = Run.open(run.path)
    assert evaluate(again, [6], words, boxes, Silent())[6]["overall"]["purity"] < first["overall"]["purity"]
    with pytest.raises(StoreError, match="other groundings"):
        cluster(again, dataclasses.replace(again.config.clustering, k=6), Silent())


def test_localisation_is_by_word(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    found = evaluate(run, [6], words_of(run.corpus), boxes_of(run.corpus), Silent())[6]["overall"]
    assert found["pointing"] == 1.0
    assert found["iou"] == pytest.approx(1.0, abs=1e-5)
    assert found["located"] == 48
    assert found["by_word"]["castle"]["count"] == 8
    assert (found["boundaries"], found["boundary_starts"], found["boundary_ends"]) == (1.0, 1.0, 1.0)
    assert found["boundary_starts_interval"] == [1.0, 1.0]
    assert (found["grouping_f"], found["ned"], found["ned_pairs"], found["ned_drawn"]) == (1.0, 0.0, 168, 0)
    assert (found["token_f"], found["boundary_f"], found["type_f"], found["phones"]) == (1.0, 1.0, 1.0, "letters")
    assert found["silence"] == 0.0
    assert found["purity_across_speakers"] == 1.0


def test_captions_without_word_times_do_not_count(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    words = words_of(run.corpus)
    del words["pair 0"]
    found = evaluate(run, [6], words, {}, Silent())[6]
    assert Labels(run).all()[:5] == [UNKNOWN] * 4 + ["castle"]
    whole = found["overall"]
    assert (whole["points"], whole["unlabelled"], whole["purity"], whole["silence"]) == (44, 4, 1.0, 0.0)
    assert whole["coverage"] == 1.0
    assert found["clusters"][0]["size"] == 8
    nobody = evaluate(run, [6], {"another": []}, {}, Silent())[6]
    assert nobody["overall"]["purity"] is None
    assert nobody["clusters"][0]["label"] == ""


def test_segments_left_over_as_noise_do_not_count(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False, pairs=24)
    cluster(run, dataclasses.replace(run.config.clustering, k=5, noise=0.25), Silent(), redo=True)
    words = words_of(run.corpus)
    found = evaluate(run, [5], words, boxes_of(run.corpus), Silent())[5]
    assignment, store = run.clusters(5).speech.assignment, run.groundings
    kept = np.flatnonzero(assignment != 4)
    assert found["overall"]["noise"] == len(assignment) - len(kept) == round(0.25 * len(assignment))
    noise = found["clusters"][4]
    assert (noise["label"], noise["purity"], noise["size"]) == ("(noise)", None, len(assignment) - len(kept))
    labels = [
        segment_label(words[store.ids[store.pair_of(np.array([row]))[0]]], *(store.column("segment")[row] / 100))
        for row in kept.tolist()
    ]
    alone = cluster_quality(labels, assignment[kept], 4, {})
    right = sum(q.matching for q in alone)
    assert found["overall"]["points"] == len(kept)
    assert found["overall"]["purity"] == pytest.approx(right / len(kept))
    assert [c["label"] for c in found["clusters"][:4]] == [q.label for q in alone]
    assert found["overall"]["unlabelled"] is None
    assert found["pruned"][0]["clusters"] == 4
    run.corpus.words_path.unlink()
    plain = evaluate(run, [5], {}, {}, Silent())[5]
    assert plain["pruned"][0]["points"] == len(kept)
