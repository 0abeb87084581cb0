"""What is in the page: its data, its policy, its size, and what it says where something is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from avterm.errors import StoreError, UsageError
from avterm.progress import Silent
from avterm.report.page import PageOptions, write_page
from avterm.report.source import Source
from avterm.report.tables import table_values
from avterm.store.curation import curation_path, make_edit
from avterm.store.journal import Journal
from avterm.store.run import Run
from tests.report.runs import HOSTILE, evaluated, hostile
from tests.synthetic import WORDS, make_run


def read_data(page: Path) -> dict[str, Any]:
    """The page's JSON."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("page")
    run = evaluated(folder)
    write_page(run, folder / "report.html")
    return run, folder / "report.html"


def test_the_data_agree_with_the_stores(made: tuple[Run, Path]) -> None:
    run, page = made
    data, clusters = read_data(page), run.clusters()
    assert {c["id"]: c["size"] for c in data["clusters"]} == dict(enumerate(clusters.speech.size.tolist()))
    assert [c["variance"] for c in data["clusters"]] == sorted(c["variance"] for c in data["clusters"])
    for cluster in data["clusters"]:
        assert cluster["label"] == WORDS[cluster["id"]]
        rows = clusters.speech.members(cluster["id"]).tolist()
        for row, (id, start, stop, label), (p, g, _) in zip(
            rows, cluster["members"], data["segments"][str(cluster["id"])], strict=False
        ):
            pair = run.groundings.of_row(row)
            assert (id, [start, stop]) == (pair.id, pair.segment[row - pair.first].tolist())
            assert label == WORDS[cluster["id"]]
            assert data["pairs"][p]["id"] == id
            assert data["pairs"][p]["groundings"][g][1] == [start, stop]
            assert data["pairs"][p]["groundings"][g][3] == cluster["id"]
        for p, g in data["crops"][str(cluster["image"])]:
            assert data["pairs"][p]["groundings"][g][4] == cluster["image"]
            assert data["pairs"][p]["picture"] >= 0


def test_the_tables_hold_what_the_stages_found(made: tuple[Run, Path]) -> None:
    run, _ = made
    found = {"r1": 0.1, "r5": 0.2, "r10": 0.3, "median_rank": 7.5}
    retrieved = {"split": "val", "pairs": 3, "pictures": 3, "search": found, "annotation": found}
    run.finish("retrieve", "x", retrieved)
    tables = {t["title"].split(":")[0]: t for t in table_values(Source(run))}
    assert list(tables) == ["Table 1", "Table 3", "Table 4", "Localisation by word", "The evaluation in figures"]
    assert tables["Table 1"]["rows"] == [[way, 0.1, 0.2, 0.3, 7.5] for way in ("search", "annotation")]
    assert tables["Table 4"]["rows"] == [[6, limit, 6, 48, 0.75, 6, 0.5] for limit in ("all", "below 0.9")]
    assert [row[0] for row in tables["Localisation by word"]["rows"]] == ["castle", "boat"]
    assert ["purity interval", "0.7 – 0.8"] in tables["The evaluation in figures"]["rows"]
    assert all(len(row) == len(table["columns"]) for table in tables.values() for row in table["rows"])


def test_the_policy_names_exactly_the_script_and_style_that_are_there(made: tuple[Run, Path]) -> None:
    text = made[1].read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy.group(1).startswith("default-src 'none'; ")
    assert "unsafe" not in policy.group(1)
    for tag, source in (("script", "script-src"), ("style", "style-src")):
        blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert len(blocks) == 1
        digest = base64.b64encode(hashlib.sha256(blocks[0].encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in policy.group(1)


def test_the_page_asks_nothing_of_the_network_and_runs_no_text(made: tuple[Run, Path]) -> None:
    text = made[1].read_text()
    shell = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    urls = set(re.findall(r"https?://[^\s\"'<>]+", shell))
    assert urls == {"http://www.w3.org/2000/svg"}  # a namespace, not an address
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert word not in shell


def test_hostile_strings_leave_no_markup(tmp_path: Path) -> None:
    write_page(hostile(tmp_path), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert text.count("<script") == 2
    assert "<img" not in text
    data = read_data(tmp_path / "report.html")
    assert {c["label"] for c in data["clusters"]} == set(HOSTILE)


def test_the_page_keeps_within_its_budget_and_says_what_is_left_out(tmp_path: Path) -> None:
    run = evaluated(tmp_path, pairs=24)
    full = write_page(run, tmp_path / "full.html")
    assert not full.left_out
    limit = full.bytes - 150_000
    small = write_page(run, tmp_path / "small.html", options=PageOptions(megabytes=limit / 1e6))
    assert limit - 60_000 < small.bytes <= limit
    assert small.bytes == (tmp_path / "small.html").stat().st_size
    assert small.left_out
    assert any("found no room" in note for note in read_data(tmp_path / "small.html")["notes"])


def test_without_evaluation_and_media_the_page_says_so(tmp_path: Path) -> None:
    run, progress = make_run(tmp_path, media=False), Silent()
    write_page(run, tmp_path / "report.html", progress=progress)
    data = read_data(tmp_path / "report.html")
    notes = " ".join(data["notes"])
    for part in ("No word times have been evaluated", "No picture", "No recording"):
        assert part in notes
    assert [t[0] for t in data["titles"]] == ["#"] * 6
    assert data["pictures"] == data["clips"] == []
    assert progress.problems


def test_names_states_and_merges_of_curation_are_used(tmp_path: Path) -> None:
    run = evaluated(tmp_path)
    clusters = run.clusters()
    journal = Journal(curation_path(run))
    journal.append([make_edit(run, clusters, "speech", "name", 2, value="my <b>name</b>")])
    journal.append([make_edit(run, clusters, "speech", "state", 2, value="accepted")])
    journal.append([make_edit(run, clusters, "speech", "merge", 1, into=2)])
    write_page(run, tmp_path / "report.html")
    data = read_data(tmp_path / "report.html")
    found = {c["id"]: c for c in data["clusters"]}
    assert 1 not in found
    assert (found[2]["name"], found[2]["state"], found[2]["merged"]) == ("my <b>name</b>", "accepted", [1])
    assert found[2]["size"] == clusters.speech.size[1] + clusters.speech.size[2]
    assert ["clusters accepted", "1"] in data["summary"]


def test_only_the_lowest_variance_clusters_are_listed(tmp_path: Path) -> None:
    run = evaluated(tmp_path)
    summary = write_page(run, tmp_path / "report.html", options=PageOptions(clusters=2, members=1))
    data = read_data(tmp_path / "report.html")
    order = sorted(range(6), key=lambda c: run.clusters().speech.variance[c])
    assert [c["id"] for c in data["clusters"]] == order[:2]
    assert summary.clusters == 2
    assert all(len(found) == 1 for found in data["segments"].values())
    assert any("4 more clusters" in note for note in data["notes"])


def test_a_pair_that_left_the_corpus_does_no_harm(tmp_path: Path) -> None:
    run = evaluated(tmp_path)
    lines = run.corpus.path.read_text().splitlines(keepends=True)
    run.corpus.path.write_text("".join(lines[3:]))
    write_page(Run.open(run.path), tmp_path / "report.html")
    assert {p["id"] for p in read_data(tmp_path / "report.html")["pairs"]}.isdisjoint({"pair 0", "pair 1", "pair 2"})


def test_missing_clusters_are_an_error(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(UsageError, match="no clusters of k = 7; there are: 6"):
        write_page(run, tmp_path / "report.html", k=7)
    (run.path / "clusters" / "k00006.h5").unlink()
    with pytest.raises(StoreError, match="no clusters here"):
        write_page(Run.open(run.path), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
