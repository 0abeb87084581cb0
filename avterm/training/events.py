"""What TensorBoard reads: one small event file an epoch, each written whole or not at all.

TensorBoard's own writer keeps a thread, which on a full disk dies with a traceback, and a file that a killed process
leaves torn, after which nothing more is read of it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from avterm.store.atomic import replacing


def write_events(folder: Path, row: dict[str, Any]) -> None:
    """The scalars of one epoch's `row`, under their names at step `row["epoch"]`; what is there is left as it is."""
    path = folder / f"events.out.tfevents.{row['epoch']:010d}.avterm"  # read in the order of their names
    if path.exists():
        return
    now = time.time()
    values = [Summary.Value(tag=name, simple_value=value) for name, value in row.items() if name != "epoch"]
    events = (
        Event(wall_time=now, file_version="brain.Event:2"),
        Event(wall_time=now, step=row["epoch"], summary=Summary(value=values)),
    )
    with replacing(path) as temporary, temporary.open("wb") as file:
        records = RecordWriter(file)
        for event in events:
            records.write(event.SerializeToString())
        records.flush()
