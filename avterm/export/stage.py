"""`avterm export`: what was discovered, in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from avterm.errors import StoreError, UsageError
from avterm.export.classes import class_lines, word_lines
from avterm.export.clips import write_clips
from avterm.export.discovered import Discovered
from avterm.export.elan import eaf
from avterm.export.names import plain
from avterm.export.rows import CLUSTER_COLUMNS, GROUNDING_COLUMNS, cluster_rows, grounding_rows
from avterm.export.tables import write_csv, write_parquet
from avterm.export.textgrid import textgrid
from avterm.export.tiers import caption_tiers, length
from avterm.progress import Progress
from avterm.store.atomic import replacing

FORMATS = ("textgrid", "elan", "csv", "parquet", "class", "clips")
SYNONYMS = {"eaf": "elan"}  # by the ending of its files


def export(
    found: Discovered,
    folder: Path,
    formats: Sequence[str],
    progress: Progress,
    members: int = 20,
    redo: bool = False,
) -> dict[str, Any]:
    """Write what was discovered into `folder` in each of the formats; {"folder", "files": {format: how many}}.

    textgrid, elan: NAME.TextGrid and NAME.eaf for every caption; csv, parquet: groundings and clusters; class:
    discovered.class, and words.wrd where word times are known; clips: a folder for each cluster with its `members`
    most central sounds and crops. NAME is the pair's id made safe; names.csv lists those that had to be changed.
    UsageError for an unknown format; StoreError where the folder holds anything, unless `redo`: then files of the same
    name are replaced, and others stay.
    """
    formats = [SYNONYMS.get(name, name) for name in formats]
    unknown = next((name for name in formats if name not in FORMATS), None)
    if unknown is not None:
        raise UsageError(f"--format {unknown}: expected one of {', '.join(FORMATS)}")
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder}: expected a folder or nothing, found a file")
    if folder.is_dir() and any(folder.iterdir()) and not redo:
        raise StoreError(f"{folder}: is not empty; give another folder, or --redo to write into this one")
    files = {}
    for name in dict.fromkeys(formats):
        if name == "clips":
            files[name] = write_clips(found, folder, members, progress)
        elif name == "class":
            files[name] = _classes(found, folder)
        elif name in ("csv", "parquet"):
            files[name] = _tables(found, folder, name)
        else:
            files[name] = _captions(found, folder, name, progress)
    renamed = [{"id": plain(id), "file": name} for id, name in found.file_names.items() if name != id]
    if renamed and set(formats) - {"csv", "parquet"}:
        write_csv(folder / "names.csv", {"id": str, "file": str}, renamed)
    return {"folder": str(folder), "files": files}


def _captions(found: Discovered, folder: Path, kind: str, progress: Progress) -> int:
    """A TextGrid or .eaf for each caption. These many files are not synced one by one."""
    known = found.source.words
    with progress.step(kind, len(found.ids)) as step:
        for pair, clusters in found.pairs():
            tiers = caption_tiers(found, pair, clusters, known.get(pair.id, ()) if known else None)
            name = found.file_names[pair.id]
            about = found.source.pair(pair.id)
            if kind == "textgrid":
                path, data = folder / f"{name}.TextGrid", textgrid(tiers, length(pair, tiers)).encode("utf-8")
            else:
                recording = folder / name if about is None else found.run.corpus.speech_path(about)
                path, data = folder / f"{name}.eaf", eaf(tiers, recording, folder)
            with replacing(path, sync=False) as temporary:
                temporary.write_bytes(data)
            step.advance()
    return len(found.ids)


def _tables(found: Discovered, folder: Path, kind: str) -> int:
    writers: dict[str, Callable[[Path, Mapping[str, type], Iterable[Mapping[str, Any]]], int]]
    writers = {"csv": write_csv, "parquet": write_parquet}
    writers[kind](folder / f"groundings.{kind}", GROUNDING_COLUMNS, grounding_rows(found))
    writers[kind](folder / f"clusters.{kind}", CLUSTER_COLUMNS, cluster_rows(found))
    return 2


def _classes(found: Discovered, folder: Path) -> int:
    _write_lines(folder / "discovered.class", class_lines(found))
    if not found.source.words:
        return 1
    _write_lines(folder / "words.wrd", word_lines(found))
    return 2


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(lines)
