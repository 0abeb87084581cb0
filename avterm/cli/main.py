"""The command `avterm`: groups its commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer

from avterm import __version__
from avterm.cli.common import end, state
from avterm.errors import AvtermError, printable

GROUPS = (
    "demo",
    "corpus",
    "features",
    "train",
    "retrieve",
    "ground",
    "merge",
    "cluster",
    "align",
    "evaluate",
    "report",
    "browse",
    "curate",
    "search",
    "tag",
    "export",
    "info",
)

_WrongUsage: type[typer.BadParameter] = typer.BadParameter.__mro__[2]  # type: ignore[assignment] # its ClickException

app = typer.Typer(
    name="avterm",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # panels would more than double the time to the first line of --help
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"avterm {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr.")] = False,
) -> None:
    """Discover word-like units in untranscribed speech by looking at the pictures that it describes.

    Start with `avterm demo`. Results go to stdout, progress to stderr. Exit 0: done, 1: failed, 2: wrong usage.
    """
    state.debug, state.quiet = debug, quiet


for _group in GROUPS:
    importlib.import_module(f"avterm.cli.{_group}").register(app)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = app(standalone_mode=False)
        end(code if isinstance(code, int) else 0)
    except _WrongUsage as error:
        error.message = printable(error.message)  # it quotes arguments, and a shell's * makes file names of them
        error.show()
        end(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        end(130)
    except AvtermError as error:
        if state.debug:
            raise
        sys.stderr.write(f"avterm: {printable(str(error))}\n")
        end(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        end(0)
    except OSError as error:
        if state.debug:
            raise
        sys.stderr.write(f"avterm: {printable(str(error))}\n")
        end(1)


if __name__ == "__main__":
    main()
