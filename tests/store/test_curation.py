"""Curation: the journal on disk, undo and redo, and edits that follow their clusters."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.errors import BadInput, StoreError
from avterm.store.clusters import Clusters, clusters_path, write_clusters
from avterm.store.curation import curation_path, make_edit, read_curation
from avterm.store.groundings import shard_path
from avterm.store.journal import Anchor, Edit, Journal, from_record, to_record
from avterm.store.run import Run
from avterm.store.shards import Header, Shard, write_shard
from tests.synthetic import make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, media=False)


def journal(run: Run) -> Journal:
    return Journal(curation_path(run))


def edit(run: Run, kind: str, cluster: int, **values) -> Edit:
    return make_edit(run, run.clusters(), values.pop("modality", "speech"), kind, cluster, **values)


def recluster(run: Run, permutation: np.ndarray, fingerprint: str = "other") -> None:
    """The same members under other numbers: what was cluster c becomes permutation[c]."""
    path = clusters_path(run.path / "clusters", 6)
    with Shard(path, "clusters") as shard:
        arrays = {}
        for m in ("speech", "image"):
            old = {n: shard[f"{m}/{n}"][:] for n in ("centroid", "assignment", "distance", "size", "variance")}
            back = np.argsort(permutation)
            labels = permutation[old["assignment"]].astype(np.int32)
            size = old["size"][back]
            arrays |= {f"{m}/{n}": old[n][back] for n in ("centroid", "size", "variance")}
            arrays |= {
                f"{m}/assignment": labels,
                f"{m}/distance": old["distance"],
                f"{m}/order": np.lexsort((old["distance"], labels)),
                f"{m}/offset": np.concatenate([[0], np.cumsum(size)]),
            }
        arrays["affinity"] = shard["affinity"][:]
    write_clusters(path, fingerprint, arrays, {"k": 6})


def test_nothing_curated(run):
    curation = read_curation(run.path)
    assert (curation.name(0), curation.state(0), curation.note(0), curation.merged_into(0)) == (None, "new", None, None)
    assert curation.excluded(0) == set()
    assert curation.touched() == []
    assert np.array_equal(curation.members(run.clusters().speech, 2), run.clusters().speech.members(2))


def test_every_kind_of_edit_applies(run):
    rows = run.clusters().speech.members(1)
    journal(run).append([
        edit(run, "name", 1, value="castle"),
        edit(run, "state", 1, value="accepted"),
        edit(run, "note", 1, value="two senses"),
        edit(run, "split", 1, member=int(rows[0])),
        edit(run, "merge", 2, into=1),
    ])  # fmt: skip
    curation = read_curation(run, 6)
    assert curation.name(1) == "castle"
    assert curation.state(1) == "accepted"
    assert curation.note(1) == "two senses"
    assert curation.excluded(1) == {int(rows[0])}
    assert curation.merged_into(2) == 1
    assert curation.merged(1) == [2]
    assert curation.touched() == [1, 2]
    side = run.clusters().speech
    members = curation.members(side, 1)
    assert set(members) == (set(side.members(1)) | set(side.members(2))) - {int(rows[0])}
    assert np.all(np.diff(side.distance[members]) >= 0)
    assert len(curation.members(side, 2)) == 0


def test_taking_away(run):
    row = int(run.clusters().speech.members(1)[0])
    journal(run).append([
        edit(run, "name", 1, value="castle"), edit(run, "name", 1),
        edit(run, "split", 1, member=row), edit(run, "restore", 1, member=row),
        edit(run, "merge", 2, into=1), edit(run, "merge", 2),
    ])  # fmt: skip
    assert read_curation(run).touched() == []


def test_merge_chains_and_never_loops(run):
    journal(run).append([edit(run, "merge", 0, into=1), edit(run, "merge", 1, into=2), edit(run, "merge", 2, into=0)])
    curation = read_curation(run)
    assert curation.merged_into(0) == 2
    assert curation.merged_into(1) == 2
    assert curation.merged_into(2) is None
    assert curation.merged(2) == [0, 1]


def test_modalities_stay_apart(run):
    journal(run).append([edit(run, "name", 1, value="castle", modality="image")])
    assert read_curation(run).name(1) is None
    assert read_curation(run, modality="image").name(1) == "castle"


def test_undo_and_redo(run):
    log = journal(run)
    assert log.undo() is None
    assert log.redo() is None
    log.append([edit(run, "name", 1, value="a")])
    log.append([edit(run, "name", 1, value="b")])
    assert log.undo().value == "b"
    assert read_curation(run).name(1) == "a"
    assert log.undo().value == "a"
    assert read_curation(run).name(1) is None
    assert log.redo().value == "a"
    assert log.redo().value == "b"
    assert read_curation(run).name(1) == "b"
    log.undo()
    log.append([edit(run, "name", 1, value="c")])
    assert log.redo() is None
    assert read_curation(run).name(1) == "c"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["edit", "undo", "redo"]), max_size=30))
def test_undo_redo_match_two_stacks(tmp_path_factory, actions):
    log = Journal(tmp_path_factory.mktemp("journal") / "curation.jsonl")
    done, undone = [], []
    for number, action in enumerate(actions):
        if action == "edit":
            log.append([Edit("name", 0, 1, value=str(number))])
            done.append(str(number))
            undone = []
        elif action == "undo":
            log.undo()
            undone += [done.pop()] if done else []
        else:
            log.redo()
            done += [undone.pop()] if undone else []
    assert [e.value for e in log.history().done] == done


def test_edits_follow_their_clusters(run):
    row = int(run.clusters().speech.members(3)[1])
    journal(run).append([
        edit(run, "name", 3, value="train"), edit(run, "merge", 4, into=3), edit(run, "split", 3, member=row),
    ])  # fmt: skip
    recluster(run, np.array([5, 4, 3, 2, 1, 0]))
    curation = read_curation(Run.open(run.path))
    assert curation.name(2) == "train"
    assert curation.name(3) is None
    assert curation.merged_into(1) == 2
    assert curation.excluded(2) == {row}
    assert curation.unplaced == []


def test_edits_follow_when_groundings_are_made_again(run):
    named = edit(run, "name", 3, value="train")
    moved = tuple(replace(a, row=0, start=a.start + 3, end=a.end + 3) for a in named.anchors)
    journal(run).append([replace(named, anchors=moved, groundings="before", clusters="before")])
    assert read_curation(run).name(3) == "train"


def test_edits_whose_cluster_is_gone_are_told(run):
    named = edit(run, "name", 3, value="train")
    gone = tuple(Anchor(f"no such pair {i}", 0, 50, i) for i in range(9))
    journal(run).append([replace(named, anchors=gone, groundings="before", clusters="before")])
    curation = read_curation(run)
    assert curation.touched() == []
    assert [e.value for e in curation.unplaced] == ["train"]


def test_edits_on_these_clusters_win_over_carried_ones(run):
    here = edit(run, "name", 3, value="here")
    journal(run).append([here, replace(here, value="there", clusters="before", uid="1")])
    assert read_curation(run).name(3) == "here"


def test_anchors_spread_over_clusters_are_not_carried(run):
    spread = tuple(a for c in range(3) for a in edit(run, "name", c).anchors[:3])
    journal(run).append([replace(edit(run, "name", 0, value="x"), anchors=spread, clusters="before")])
    assert len(read_curation(run).unplaced) == 1


def test_edits_survive_changed_stores_of_groundings(run):
    journal(run).append([edit(run, "name", 2, value="boat")])
    for number in range(2):
        path = shard_path(run.path / "groundings", number)
        with Shard(path, "groundings") as shard:
            arrays = {
                n: shard.texts(n) if n in ("id", "left_out") else shard[n][:]
                for n in ("id", "offset", "size", "frames", "box", "segment", "score", "silence", "speech_embedding",
                          "image_embedding", "left_out")
            }  # fmt: skip
            header = shard.header
        write_shard(path, Header(header.kind, header.rows, "again", header.info), arrays)
    recluster(run, np.roll(np.arange(6), 2))
    assert read_curation(Run.open(run.path)).name(0) == "boat"


@pytest.mark.parametrize("torn", [b'{"kind": "na', b"\xff\xfe\x00", b"[1, 2]\n", b'{"kind": "name"}\n', b"9" * 5000])
def test_damaged_lines_are_skipped(run, torn):
    log = journal(run)
    log.append([edit(run, "name", 1, value="a")])
    with log.path.open("ab") as file:
        file.write(torn)
    assert log.history().skipped == 1
    log.append([edit(run, "name", 2, value="b")])
    curation = read_curation(run)
    assert (curation.name(1), curation.name(2)) == ("a", "b")


def test_kill_9_leaves_a_file_that_reads(tmp_path):
    path = tmp_path / "curation.jsonl"
    program = (
        "import sys, pathlib\nfrom avterm.store.journal import *\nlog = Journal(pathlib.Path(sys.argv[1]))\ni = 0\n"
        "while True:\n    log.append([Edit('name', i, 9, value='x' * 300)])\n    print(i, flush=True)\n    i += 1\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    while not path.exists() or path.stat().st_size < 5_000:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    said = [int(line) for line in process.communicate()[0].splitlines() if line.strip()]
    done = Journal(path).history().done
    assert [e.cluster for e in done] == list(range(len(done)))
    assert len(done) > said[-1]  # whatever was reported as kept is there
    Journal(path).append([Edit("name", 7, 9, value="after")])
    assert Journal(path).history().done[-1].value == "after"


def test_two_processes_may_append(tmp_path):
    path = tmp_path / "curation.jsonl"
    program = (
        "import sys, pathlib\nfrom avterm.store.journal import *\nlog = Journal(pathlib.Path(sys.argv[1]))\n"
        "for i in range(30): log.append([Edit('note', i, 9, value='x' * 9000)])\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(2)]
    assert [p.wait() for p in both] == [0, 0]
    history = Journal(path).history()
    assert (len(history.done), history.skipped) == (60, 0)


def test_an_unwritable_journal_is_one_line(tmp_path):
    (tmp_path / "curation.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"curation\.jsonl"):
        Journal(tmp_path / "curation.jsonl").append([Edit("name", 1, 1)])


def test_import_takes_each_edit_once(run):
    log = journal(run)
    edits = [edit(run, "name", 1, value="a"), edit(run, "name", 2, value="b")]
    assert log.merge(edits) == 2
    assert log.merge(edits) == 0
    log.undo()
    assert log.merge(edits) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "delete"}, {"cluster": -1}, {"cluster": "1"}, {"k": 0}, {"cluster": True}, {"anchors": [[1, 2, 3, 4]]},
        {"anchors": 3}, {"modality": "smell"}, {"kind": "state", "value": "great"}, {"kind": "split", "member": None},
        {"value": "x" * 20_000}, {"value": None}, {"time": "now"}, {"member": ["a", 0, 1]},
    ],
)  # fmt: skip
def test_impossible_records_are_refused(change):
    with pytest.raises(BadInput, match="here: "):
        from_record({**to_record(Edit("name", 1, 5, value="a")), **change}, "here")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=50), st.integers(0, 10**6), st.lists(st.tuples(st.text(max_size=9), st.integers(0, 99))))
def test_records_come_back(value, cluster, anchors):
    made = Edit("note", cluster, 3, value=value, anchors=tuple(Anchor(i, s, s + 9, 0) for i, s in anchors))
    assert from_record(json.loads(json.dumps(to_record(made))), "here") == made


def test_clusters_of_another_k_are_carried(run):
    journal(run).append([edit(run, "name", 3, value="train")])
    with Shard(clusters_path(run.path / "clusters", 6), "clusters") as shard:
        arrays = {f"{m}/{n}": shard[f"{m}/{n}"][:] for m in ("speech", "image") for n in
                  ("centroid", "assignment", "distance", "size", "variance", "order", "offset")}  # fmt: skip
        arrays["affinity"] = shard["affinity"][:]
    write_clusters(clusters_path(run.path / "clusters", 7), "k7", arrays, {"k": 7})
    assert Clusters(clusters_path(run.path / "clusters", 7)).fingerprint == "k7"
    assert read_curation(run, 7).name(3) == "train"
