"""What evaluation wrote is read back whole, and not where it belongs to other clusters or is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from avterm.errors import StoreError
from avterm.store.evaluation import (
    Labels,
    evaluation_path,
    labels_fingerprint,
    read_evaluation,
    remove_labels,
    write_evaluation,
    write_labels,
)
from avterm.store.run import Run
from tests.synthetic import make_run

LABELS = ["the lighthouse", "(silence)", "שלום עולם", "日本", "a\udcff", ""]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A made-up run that was not evaluated."""
    return make_run(tmp_path, pairs=2, per_pair=3, media=False)


def test_labels_come_back_in_order(run: Run) -> None:
    assert labels_fingerprint(run) is None
    write_labels(run, LABELS, "made from")
    labels = Labels(run)
    assert (len(labels), labels_fingerprint(run)) == (len(LABELS), "made from")
    assert [labels[i] for i in range(len(LABELS))] == LABELS
    assert labels.all() == LABELS
    remove_labels(run)
    assert labels_fingerprint(run) is None
    remove_labels(run)
    with pytest.raises(StoreError):
        Labels(run)


def test_evaluations_come_back_while_their_clusters_stand(run: Run) -> None:
    assert read_evaluation(run, 6) is None
    value = {"overall": {"purity": 0.5, "nothing": None}, "clusters": [{"cluster": 0, "label": "日本"}]}
    write_evaluation(run, 6, value)
    assert read_evaluation(run, 6) == value
    assert read_evaluation(run, 7) is None
    write_evaluation(run, 6, {**value, "clusters_made_from": run.clusters(6).fingerprint})
    assert read_evaluation(run, 6) is not None
    write_evaluation(run, 6, {**value, "clusters_made_from": "others"})
    assert read_evaluation(run, 6) is None
    write_evaluation(run, 9, {**value, "clusters_made_from": "gone"})
    assert read_evaluation(run, 9) is None


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 10_000])
def test_damaged_evaluations_are_named(run: Run, text: str) -> None:
    write_evaluation(run, 6, {"overall": {}, "clusters": []})
    evaluation_path(run, 6).write_text(text)
    with pytest.raises(StoreError, match=r"k00006\.json"):
        read_evaluation(run, 6)


def test_json_of_another_shape_is_no_evaluation(run: Run) -> None:
    write_evaluation(run, 6, {"overall": {}})
    assert read_evaluation(run, 6) is None
    evaluation_path(run, 6).write_text("[]")
    assert read_evaluation(run, 6) is None


def test_damaged_labels_are_refused(run: Run) -> None:
    write_labels(run, LABELS, "made from")
    path = run.path / "evaluation" / "labels.h5"
    data = bytearray(path.read_bytes())
    data[-1] ^= 255
    path.write_bytes(data)
    with pytest.raises(StoreError):
        Labels(run).all()
