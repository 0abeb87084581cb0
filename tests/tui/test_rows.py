"""Rows of the clusters' table: order, filter, cells."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avterm.store.curation import read_curation
from avterm.tui.rows import COLUMNS, ClusterRow, build_rows, cells, columns_of, filter_rows, sort_rows
from tests.synthetic import make_run

ROW = ClusterRow(0, 0.5, 100, "castle", 0.7, 0.4, 12, 3, 55.0, "new", None, None, None)
ROWS = [
    ROW,
    replace(ROW, cluster=1, variance=0.2, size=7, label="old castle", state="accepted", name="Burg", affinity=1e9),
    replace(ROW, cluster=2, variance=math.nan, size=0, label=None, purity=None, coverage=None, speakers=None),
    replace(ROW, cluster=3, variance=0.9, label="dog", state="rejected", note="two senses", merged_into=1),
]


def numbers(rows):
    return [row.cluster for row in rows]


@pytest.mark.parametrize(("column", "falling", "expected"), [
    ("variance", False, [1, 0, 3, 2]), ("variance", True, [3, 0, 1, 2]), ("size", True, [0, 3, 1, 2]),
    ("label", False, [0, 3, 1, 2]), ("name", False, [1, 0, 2, 3]), ("cluster", True, [3, 2, 1, 0]),
    ("purity", True, [0, 1, 3, 2]),
])  # fmt: skip
def test_order(column, falling, expected):
    assert numbers(sort_rows(ROWS, column, falling)) == expected


@pytest.mark.parametrize(("query", "expected"), [
    ("", [0, 1, 2, 3]), ("castle", [0, 1]), ("CASTLE burg", [1]), ("senses", [3]), ("state:acc", [1]),
    ("rejected", [3]),
    ("size>50", [0, 3]), ("size>=7 size<100", [1]), ("variance<0.65", [0, 1]), ("#2", [2]), ("purity>0.5 dog", [3]),
    ("size>", []), ("zebra", []), ("note:two", [3]), ("variance<1.2.3", [0, 1, 2, 3]),
    ("label:old", [1]),
])  # fmt: skip
def test_filter(query, expected):
    assert numbers(filter_rows(ROWS, query)) == expected


@given(st.text(max_size=40))
def test_any_filter_can_be_typed(query):
    filter_rows(ROWS, query)


def test_every_row_has_a_cell_a_column():
    for row in ROWS:
        assert len(cells(row, list(COLUMNS))) == len(COLUMNS)


def test_columns_without_an_evaluation_are_left_out():
    bare = [replace(r, label=None, purity=None, coverage=None, speakers=None) for r in ROWS]
    assert not {"label", "purity", "coverage", "speakers"} & set(columns_of(bare))
    assert "label" in columns_of(ROWS)


def test_rows_of_a_run(tmp_path):
    run = make_run(tmp_path, media=False)
    facts = {"clusters": [{"cluster": 2, "label": "boat", "purity": 0.5, "coverage": float("nan"), "speakers": 3},
                          "damaged", {"cluster": "x"}]}  # fmt: skip
    rows = build_rows(run.clusters(), "speech", facts, read_curation(run))
    assert numbers(rows) == [0, 1, 2, 3, 4, 5]
    assert (rows[2].label, rows[2].purity, rows[2].coverage, rows[2].speakers) == ("boat", 0.5, None, 3)
    assert rows[0].linked == int(run.clusters().image_of_speech[0])
    crops = build_rows(run.clusters(), "image", facts, None)
    assert [r.label for r in crops if r.linked == 2] == ["boat"] * sum(r.linked == 2 for r in crops)
    assert build_rows(run.clusters(), "speech", {"clusters": 3}, None)[0].label is None
