"""Shards read through few open files: equal to NumPy, by threads and processes, and never two versions mixed."""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avterm.errors import StoreError
from avterm.store.arrays import FILES
from avterm.store.groundings import Groundings, shard_path, write_groundings
from avterm.store.opened import Opened, version_of
from avterm.store.shards import Header, Shard, seal, write_shard
from avterm.store.stacked import Stacked

DEPTH = 3


def shard(path: Path, **arrays: np.ndarray | list[str]) -> Shard:
    write_shard(path, Header("any", 0, "f", {}), arrays)
    return Shard(path, "any")


def grounding_shards(folder: Path, count: int, rows: int = 5) -> np.ndarray:
    """As many shards of as many rows; the speech embeddings of all."""
    values = np.random.default_rng(0).normal(size=(count * rows, DEPTH)).astype(np.float16)
    for number in range(count):
        mine = values[number * rows : (number + 1) * rows]
        arrays = {
            "id": [f"{number}-{i}" for i in range(rows)], "offset": np.arange(rows + 1),
            "size": np.ones((rows, 2), int),
            "frames": np.ones(rows, int), "box": np.zeros((rows, 4)), "segment": np.zeros((rows, 2), int),
            "score": np.zeros(rows), "silence": np.zeros(rows), "speech_embedding": mine, "image_embedding": -mine,
        }  # fmt: skip
        write_groundings(shard_path(folder, number), "f", arrays, [])
    return values


def read_all(folder: Path) -> None:
    """Hundreds of shards where a process may open 256 files: in blocks, scattered, by ids; 0 where right."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    expected = np.load(folder / "expected.npy", allow_pickle=False)
    store = Groundings(folder)
    found = store.embeddings("speech")
    rows = np.random.default_rng(1).permutation(len(expected))
    right = [
        np.array_equal(np.concatenate([block for _, block in found.blocks()]), expected),
        np.array_equal(found[rows], expected[rows]),
        all(np.array_equal(found[int(row)], expected[row]) for row in rows[:300]),
        [store.of_row(int(row)).id for row in rows[:300]] == [f"{row // 5}-{row % 5}" for row in rows[:300]],
        len(store.ids) == len(expected),
        len(os.listdir("/proc/self/fd")) < 128,
    ]
    sys.exit(None if all(right) else f"{right}")


def test_thousands_of_shards_need_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    np.save(tmp_path / "expected.npy", grounding_shards(tmp_path, 600))
    command = f"from pathlib import Path; from {__name__} import read_all; read_all(Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@settings(max_examples=60, deadline=None)
@given(data=st.data(), lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4))
def test_stacked_is_as_numpy(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, lengths: list[int]) -> None:
    tail, dtype = data.draw(st.sampled_from([(), (3,), (2, 2)])), data.draw(st.sampled_from(["f2", "f4", ">i8", "?"]))
    rng = np.random.default_rng(0)
    parts = {
        f"p{i}": rng.integers(0, 2 if dtype == "?" else 99, (n, *tail)).astype(dtype) for i, n in enumerate(lengths)
    }
    expected = np.concatenate(list(parts.values()))
    made = shard(tmp_path_factory.mktemp("stacked") / "a.h5", **parts)
    found = Stacked([made[name] for name in parts])
    assert (found.shape, found.dtype, len(found)) == (expected.shape, np.dtype(dtype), len(expected))
    place = st.one_of(st.none(), st.integers(-20, 20))
    cut = slice(data.draw(place), data.draw(place), data.draw(st.sampled_from([None, 1, 2, -1])))
    np.testing.assert_array_equal(found[cut], expected[cut])
    np.testing.assert_array_equal(made["p0"][cut], parts["p0"][cut])
    rows = np.array(
        data.draw(st.lists(st.integers(-len(expected), len(expected) - 1)) if len(expected) else st.just([]))
    )
    np.testing.assert_array_equal(found[rows.astype(int)], expected[rows.astype(int)])
    for row in rows:
        np.testing.assert_array_equal(found[int(row)], expected[row])


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    array = shard(tmp_path / "a.h5", a=np.arange(4))["a"]
    for row in (4, -5):
        with pytest.raises(IndexError):
            array[row]
        with pytest.raises(IndexError):
            Stacked([array])[np.array([row])]


def test_an_array_that_is_not_there_and_texts(tmp_path: Path) -> None:
    made = shard(tmp_path / "a.h5", a=np.arange(4), id=["ä", "\ud800"])
    assert made.texts("id") == ["ä", "\ud800"]
    assert made.text("id", 1) == "\ud800"
    for read in (lambda: made["b"], lambda: made["id"], lambda: made.texts("b"), lambda: made.texts("a")):
        with pytest.raises(StoreError, match=r"a\.h5"):
            read()


def test_threads_read_more_files_than_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FILES, "_most", 2)
    expected = grounding_shards(tmp_path, 8)
    found = Groundings(tmp_path).embeddings("speech")
    orders = [np.random.default_rng(i).permutation(len(expected)) for i in range(60)]
    with ThreadPoolExecutor(6) as pool:
        for order, values in zip(orders, pool.map(found.__getitem__, orders), strict=True):
            np.testing.assert_array_equal(values, expected[order])
    assert len(FILES) <= 2


def _matches(found: Stacked, expected: np.ndarray) -> None:
    for _ in range(50):
        for row in range(len(expected)):
            if not np.array_equal(found[row], expected[row]):
                os._exit(1)
    os._exit(0)


def test_forks_read_what_their_parent_has_open(tmp_path: Path) -> None:
    expected = grounding_shards(tmp_path, 4)
    found = Groundings(tmp_path).embeddings("speech")
    np.testing.assert_array_equal(found[:], expected)  # all are open
    with FILES._lock:  # as if another thread were opening one
        children = [multiprocessing.get_context("fork").Process(target=_matches, args=(found, expected)) for _ in "ab"]
        for child in children:
            child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]


def test_a_file_replaced_is_not_mixed_with_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    old = shard(path, a=np.arange(4), id=["old"])
    array = old["a"]
    assert array[0] == 0
    new = shard(path, a=np.arange(10, 14), id=["new"])
    np.testing.assert_array_equal(array[:], np.arange(4))  # still open, and as it was
    np.testing.assert_array_equal(new["a"][:], np.arange(10, 14))
    old.close()
    for read in (lambda: array[:], lambda: old["a"][2], lambda: old.texts("id")):
        with pytest.raises(StoreError, match="replaced"):
            read()
    assert new.texts("id") == ["new"]


@pytest.mark.parametrize(("hurt", "said"), [(lambda path: path.unlink(), "No such file"),
                                            (lambda path: os.truncate(path, 5000), "cut short")])  # fmt: skip
def test_a_file_that_goes_is_one_line(tmp_path: Path, hurt: Callable[[Path], None], said: str) -> None:
    array = shard(tmp_path / "a.h5", a=np.arange(4000))["a"]
    if said == "cut short":
        assert array[0] == 0  # open
    hurt(tmp_path / "a.h5")
    with pytest.raises(StoreError, match=said):
        array[:]


def test_an_array_in_pieces_is_refused(tmp_path: Path) -> None:
    values = grounding_shards(tmp_path, 1)
    path = shard_path(tmp_path, 0)
    header = Shard(path, "groundings").header
    with h5py.File(path, "r+") as file:
        del file["speech_embedding"]
        file.create_dataset("speech_embedding", data=values, chunks=(2, DEPTH), compression="gzip")
    seal(path, header)
    with pytest.raises(StoreError, match="one piece"):
        Shard(path, "groundings")


def test_only_so_many_files_are_kept_and_those_let_go_are_closed(tmp_path: Path) -> None:
    paths = [tmp_path / str(i) for i in range(5)]
    for path in paths:
        path.write_text(path.name)
    keys = [(str(path), version_of(path)) for path in paths]
    opened = Opened(open, lambda file: file.fileno(), most=2)
    first = opened.get(keys[0])
    assert opened.get(keys[0]) is first
    for key in keys[1:]:
        opened.get(key)
    assert len(opened) == 2
    assert first.read() == "0"  # who has it may go on
    kept = opened.get(keys[4])
    opened.let_go(keys[4])
    assert opened.get(keys[4]) is not kept
