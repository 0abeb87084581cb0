"""What runs, stores and the command line once got wrong."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from avterm.cli.common import emit, say
from avterm.config import resolve
from avterm.errors import StoreError, printable
from avterm.model.checkpoint import load_model, load_tensors, save_model
from avterm.model.pair import PairModel
from avterm.store.atomic import replacing, write_text
from avterm.store.journal import Edit, Journal
from avterm.store.lock import locked
from avterm.store.run import Run
from avterm.store.shards import HEADER_BYTES, Header, Shard, seal, write_shard
from avterm.training.loop import make_optimiser
from avterm.training.state import Place, load_state, save_state
from tests.synthetic import make_run

SMALL = {"model": {"width": 1 / 64, "embedding": 4, "speech_branch": "harwath2016"}}


def labels(path: Path, values: list[str]) -> Path:
    write_shard(path, Header("labels", len(values), "f", {}), {"label": values})
    return path


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom avterm.store.atomic import replacing\n"
        "with replacing(Path(sys.argv[1])) as half:\n    half.write_text('1')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.json")])
    assert len(list(tmp_path.iterdir())) == 1
    with replacing(tmp_path / "b.json") as living:
        write_text(tmp_path / "a.json", "whole")
        assert living.exists()
        living.write_text("b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_a_flipped_bit_in_the_first_line_of_a_shard_is_noticed(tmp_path: Path) -> None:
    data = bytearray(labels(tmp_path / "a.h5", ["a", "b", "c"]).read_bytes())
    place = data.index(b'"rows": 3') + 8
    data[place] ^= 1  # 2 rows
    (tmp_path / "a.h5").write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        Shard(tmp_path / "a.h5", "labels")


def _huge(file: h5py.File) -> None:
    file.create_dataset("label", shape=(3, 1 << 30), dtype="i8", chunks=(1, 1 << 16), compression="gzip")


def _long(file: h5py.File) -> None:
    file.create_dataset("label", shape=(1 << 40,), dtype=h5py.string_dtype(), chunks=(1 << 16,))


def _elsewhere(file: h5py.File) -> None:
    file["label"] = h5py.ExternalLink("/etc/passwd", "/")


def _nothing(file: h5py.File) -> None:
    file.create_group("label")


@pytest.mark.parametrize("bend", [_huge, _long, _elsewhere, _nothing, lambda file: None])
def test_shards_that_somebody_made(tmp_path: Path, bend: Callable[[h5py.File], None]) -> None:
    path = labels(tmp_path / "a.h5", ["a", "b", "c"])
    with h5py.File(path, "r+") as file:
        del file["label"]
        bend(file)
    seal(path, Header("labels", 3, "f", {}))
    with pytest.raises(StoreError, match="label"):
        Shard(path, "labels")


def test_groundings_whose_offsets_lead_nowhere(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    path = run.groundings.paths[0]
    run.groundings.shard(0).close()
    with h5py.File(path, "r+") as file:
        file["offset"][1] = 10_000
    line = json.loads(path.read_bytes()[:HEADER_BYTES].split(b"\n")[0])
    seal(path, Header(line["avterm"], line["rows"], line["fingerprint"], line["info"]))
    with pytest.raises(StoreError, match="pieces"):
        Run.open(run.path).groundings.pair(0)


def test_a_summary_without_k(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    run.finish("cluster", "f", {})
    with pytest.raises(StoreError, match="cluster"):
        run.clusters()


@pytest.mark.parametrize("change", [{"width": 64.0, "embedding": 65_536}, {"width": 1e-9}, {"embedding": 8}])
def test_a_checkpoint_that_asks_for_a_model_it_cannot_fill(tmp_path: Path, change: dict) -> None:
    config = resolve(overrides=SMALL)
    save_model(tmp_path / "a.safetensors", PairModel(config.model, 8, config.speech.mels), config)
    data = (tmp_path / "a.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + size])
    metadata = json.loads(head["__metadata__"]["metadata"])
    metadata["config"]["model"].update(change)
    head["__metadata__"]["metadata"] = json.dumps(metadata)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    with pytest.raises(StoreError, match=r"a\.safetensors"):
        load_model(tmp_path / "a.safetensors")


def test_metadata_of_a_checkpoint_that_is_no_object(tmp_path: Path) -> None:
    from safetensors.torch import save

    (tmp_path / "a.safetensors").write_bytes(save({"a": torch.zeros(1)}, {"avterm": "1", "metadata": "[]"}))
    with pytest.raises(StoreError, match="metadata"):
        load_tensors(tmp_path / "a.safetensors")


def test_the_optimiser_goes_on_in_memory_of_its_own(tmp_path: Path) -> None:
    """A view of the file's memory lies at any 4 bytes, and sums over it may round in another order."""
    config = resolve(overrides={**SMALL, "training": {"optimiser": "adamw"}})
    model = PairModel(config.model, 8, config.speech.mels)
    optimiser = make_optimiser(model, config.training)
    sum(p.sum() for p in model.parameters()).backward()  # type: ignore[union-attr]
    optimiser.step()
    save_state(tmp_path / "s", model, optimiser, {}, Place(), "f")
    load_state(tmp_path / "s", model, optimiser, {}, "f")
    tensors = [v for state in optimiser.state_dict()["state"].values() for v in state.values()]
    assert tensors
    assert all(v.data_ptr() % 64 == 0 for v in tensors if isinstance(v, torch.Tensor) and v.ndim)


def test_a_full_disk_does_not_keep_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with locked(tmp_path):
        assert (tmp_path / ".lock").exists()


def test_what_h5py_says_of_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object, **more: object) -> None:
        raise RuntimeError("Can't decrement id ref count (unable to close file)\nand more")

    monkeypatch.setattr(h5py.File, "create_dataset", full)
    with pytest.raises(StoreError, match=r"a\.h5: could not be written"):
        labels(tmp_path / "a.h5", ["a"])
    assert not list(tmp_path.iterdir())


def test_results_move_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b[2J\x9b31m\u202e\x07\x7f"
    emit({"id": evil, evil: 1.5})
    say(f"{evil}\n{evil}")
    first, *rest = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"id": evil, evil: 1.5}
    assert len(rest) == 2
    assert all(printable(line) == line for line in (first, *rest))


@pytest.mark.parametrize(
    "arguments", [["info", "a\x1b[2J"], ["info", "x", "a\x1b[2J"], ["a\x1b[2J"], ["info", "--a\x9b"]]
)
def test_errors_about_arguments_move_no_cursor(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "avterm.cli.main", *arguments], capture_output=True, text=True)
    assert done.returncode in (1, 2)
    assert "\x1b[2J" not in done.stderr
    assert "\x9b" not in done.stderr


def test_arrays_are_counted_in_rows_that_are_there(tmp_path: Path) -> None:
    run = make_run(tmp_path, media=False)
    path = run.clusters().path
    with h5py.File(path, "r+") as file:
        file["speech/order"][0] = np.iinfo(np.int64).max
    line = json.loads(path.read_bytes()[:HEADER_BYTES].split(b"\n")[0])
    seal(path, Header(line["avterm"], line["rows"], line["fingerprint"], line["info"]))
    with pytest.raises(StoreError, match="numbers rows"):
        Run.open(run.path).clusters()


def test_equal_checkpoints_are_equal_bytes(tmp_path: Path) -> None:
    """The library writes metadata in an order that differs from process to process."""
    config = resolve(overrides=SMALL)
    model = PairModel(config.model, 8, config.speech.mels)
    save_model(tmp_path / "a.safetensors", model, config)
    data = (tmp_path / "a.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + size])
    assert size % 8 == 0
    assert list(head["__metadata__"]) == ["avterm", "metadata"]
    assert load_model(tmp_path / "a.safetensors").state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("left", [1, 9, 40, -1])
def test_a_torn_line_of_the_journal_is_taken_away(tmp_path: Path, left: int) -> None:
    """It stayed for good, and was reported as damaged each time."""
    journal = Journal(tmp_path / "curation.jsonl")
    first, second = (Edit("name", c, 9, value="é" * 9_000 if c else "a", uid=f"u{c}", time=1.0) for c in (0, 1))
    journal.append([first])
    kept = journal.path.stat().st_size
    journal.append([second])
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[: kept + left] if left > 0 else whole[:left])
    assert journal.merge([first, second]) == (1 if left > 0 else 0)
    journal.append([first])
    assert journal.path.read_bytes().startswith(whole)
    assert journal.history().skipped == 0
