"""The rows of docs/model.md: settings that exist, and a table of means and spreads."""

from __future__ import annotations

import pytest

from avterm.config import override, parse_setting, resolve
from tests.ablations import TABLES, lines, words


@pytest.mark.parametrize("name", TABLES)
def test_every_row_changes_settings_that_exist(name: str) -> None:
    table = TABLES[name]
    preset = resolve(table.preset)
    assert not table.rows["as it is"]
    for row, settings in table.rows.items():
        changed = preset
        for setting in settings:
            changed = override(changed, parse_setting(setting), row)
        assert (changed == preset) == (row == "as it is"), row


def test_a_cell_is_a_mean_and_half_the_range() -> None:
    found = [{"search": 0.25, "purity": 1.0}, {"search": 0.75}, {"search": 0.5}, {"search": 0.5}]
    head, rule, first, second = lines(["a", "b"], 2, found)
    assert head == "| | search | purity |"
    assert rule == "|---|---|---|"
    assert first == "| a | 0.500 ± 0.250 | 1.000 ± 0.000 |"
    assert second == "| b | 0.500 ± 0.000 |  |"


def test_a_word_is_found_where_a_cluster_of_some_size_is_named_by_it() -> None:
    def cluster(label: str, size: int = 10, purity: float | None = 0.5) -> dict[str, object]:
        return {"label": label, "size": size, "purity": purity}

    found = [cluster("dog"), cluster("the dog"), cluster("a ball in"), cluster("red shirt"), cluster("the")]
    missed = [
        cluster("cat", size=9),
        cluster("boat", purity=0.49),
        cluster("", 0, None),
        cluster("(silence)", 99, 1.0),
        {"size": 50},
    ]
    assert words(found + missed) == {"dog", "ball"}
