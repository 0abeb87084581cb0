"""The rows of docs/model.md: settings that exist, and a table of means and spreads."""

from __future__ import annotations

import pytest

from avterm.config import override, parse_setting, resolve
from tests.ablations import TABLES, lines


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
