"""The help of the command line: whole sentences in the lists of commands."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from avterm.cli.main import app


@pytest.mark.parametrize("group", [(), ("corpus",), ("curate",)])
def test_no_line_of_the_list_is_cut_short(group: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*group, "--help"], env={"COLUMNS": "80"}).stdout
    commands = shown.split("Commands:\n")[1].splitlines()
    assert len(commands) > 2
    assert not [line for line in commands if line.endswith("...")]
