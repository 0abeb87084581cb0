"""CSV and Parquet files, written row by row: a million groundings need no more memory than a thousand."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from avterm.errors import UsageError
from avterm.store.atomic import replacing

_ROWS = 65_536  # of a Parquet row group


def write_csv(path: Path, columns: Mapping[str, type], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a header and the rows as UTF-8; what is None is empty. Returns how many rows."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([row[name] for name in columns])
            count += 1
    return count


def write_parquet(path: Path, columns: Mapping[str, type], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write the rows with the columns' types; None is null. UsageError where pyarrow is not installed."""
    arrow, parquet = _pyarrow()
    kinds = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    count = 0
    with replacing(path) as temporary, parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        source = iter(rows)
        while block := list(islice(source, _ROWS)):
            count += len(block)
            writer.write_table(arrow.table({n: [row[n] for row in block] for n in columns}, schema=schema))
    return count


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError("Parquet needs pyarrow, which is not installed: pip install 'avterm[parquet]'") from None
