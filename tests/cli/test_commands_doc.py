"""docs/commands.md and README.md against the command line itself: nothing is missing, nothing is made up."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from avterm.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/commands.md")
TOP: Any = typer.main.get_command(app)


def commands(group: Any = TOP, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that can be run, as its words after `avterm`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name)


def found(words: list[str]) -> tuple[Any, list[str]]:
    """The command that `words` name, and its arguments; LookupError where there is none."""
    command, rest = TOP, list(words)
    while hasattr(command, "commands"):
        while rest and rest[0].startswith("-"):
            options = [option for parameter in command.params for option in parameter.opts]
            if rest[0] not in options:
                raise LookupError(rest[0])
            del rest[0]
        command = command.commands[rest.pop(0)]
    return command, rest


def parse(words: list[str]) -> None:
    """Parse and check as the command line would; nothing is run."""
    command, arguments = found(words)
    command.make_context(command.name, arguments)


def called(line: str) -> Iterator[list[str]]:
    """The words after each `avterm` of a shell line, without what is piped, redirected or remarked."""
    shell = shlex.shlex(line, posix=True, punctuation_chars=True)
    shell.wordchars += "{}[]…"
    words: list[str] = []
    for word in [*shell, ";"]:
        if set(word) <= set("|;&()<>"):
            if words[:1] == ["avterm"]:
                yield words[1:]
            words = []
        else:
            words.append(word)


def fenced(text: str) -> list[str]:
    """The shell lines of the page's code blocks: after `$`, where a block shows output too."""
    lines = []
    for block in re.findall(r"^```\n(.*?)^```", text, re.S | re.M):
        inside = [line for line in re.sub(r"\|\n +", "| ", block).split("\n") if "avterm" in line]
        if "$ " in block:
            inside = [line[2:] for line in inside if line.startswith("$ ")]
        lines += [line for line in inside if re.match(r"avterm |.*[|;&] *avterm ", line)]
    return lines


def test_every_command_has_an_example() -> None:
    shown = [words for line in fenced((ROOT / PAGES[1]).read_text()) for words in called(line)]
    for command in commands():
        assert any(tuple(words[: len(command)]) == command for words in shown), (
            f"no example of avterm {' '.join(command)}"
        )


def test_headings_are_the_commands_in_their_order() -> None:
    headings = re.findall(r"^## avterm (\w+)$", (ROOT / PAGES[1]).read_text(), re.M)
    assert sorted(headings) == sorted(TOP.commands)


@pytest.mark.parametrize("page", PAGES)
def test_every_line_can_be_meant(page: str) -> None:
    lines = fenced((ROOT / page).read_text())
    assert len(lines) > 10
    for line in lines:
        for words in called(line):
            if "--help" not in words and "--install-completion" not in words:
                parse(words)


@pytest.mark.parametrize("page", PAGES)
def test_every_option_in_running_text_is_there(page: str) -> None:
    text = re.sub(r"^```\n.*?^```", "", (ROOT / page).read_text(), flags=re.S | re.M)
    spans = [span for span in re.findall(r"`([^`]+)`", text) if span.startswith("avterm ")]
    for span in spans:
        for words in called(span):
            if words and not words[0].isupper() and not words[0].startswith("-"):
                command, arguments = found(words)
                if not hasattr(command, "commands"):
                    context = command.context_class(command)
                    command.make_parser(context).parse_args([word for word in arguments if word != "--help"])


@pytest.mark.parametrize("line", ["avterm fly", "avterm train run --wings 2", "avterm ground", "avterm cluster run -k"])
def test_made_up_lines_are_noticed(line: str) -> None:
    (words,) = called(line)
    with pytest.raises((LookupError, typer.BadParameter.__mro__[2])):
        parse(words)
