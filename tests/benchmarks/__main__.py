"""`python -m tests.benchmarks [NAME …]`: one table over all benchmarks, or the named ones; exit 1 if a limit is missed.

Every module beside this one that has `rows() -> list[Row]` is a benchmark of its name.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from tests.benchmarks.rows import Row

_HEAD = ("what", "against", "ours s", "theirs s", "ratio", "limit", "", "note")


def main(names: list[str]) -> int:
    """Run the benchmarks and print their table as each is done."""
    known = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_")]
    modules = {name: importlib.import_module(f"tests.benchmarks.{name}") for name in known}
    able = [name for name, module in modules.items() if hasattr(module, "rows") and callable(module.rows)]
    unknown = [name for name in names if name not in able]
    if unknown:
        sys.stderr.write(f"no benchmark {unknown[0]!r}; known: {', '.join(able)}\n")
        return 2
    sys.stdout.write(_line(_HEAD) + "\n")
    missed = 0
    for name in names or able:
        for row in modules[name].rows():
            missed += not row.kept
            sys.stdout.write(_line(_cells(row)) + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"{missed} limits missed\n" if missed else "every limit kept\n")
    return 1 if missed else 0


def _cells(row: Row) -> tuple[str, ...]:
    sign = ">=" if row.at_least else "<="
    verdict = "kept" if row.kept else "MISSED"
    times = f"{row.ours:.4g}", f"{row.theirs:.4g}", f"{row.ratio:.3g}", f"{sign} {row.limit:g}"
    return row.what, row.against, *times, verdict, row.note


def _line(cells: tuple[str, ...]) -> str:
    what, against, ours, theirs, ratio, limit, verdict, note = cells
    return f"{what:44.44} {against:40.40} {ours:>9} {theirs:>9} {ratio:>7} {limit:>9} {verdict:6} {note}".rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
