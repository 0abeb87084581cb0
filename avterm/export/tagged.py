"""Tags of new recordings as files for Praat and ELAN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from avterm.errors import StoreError, UsageError, printable
from avterm.export.elan import eaf
from avterm.export.names import file_names
from avterm.export.textgrid import textgrid
from avterm.export.tiers import Tier, lanes
from avterm.retrieval.tag import Tagged
from avterm.store.atomic import replacing

ENDINGS = {"textgrid": ".TextGrid", "elan": ".eaf", "eaf": ".eaf"}


class TaggedFolder:
    """A folder in which every recording's tags become one file, named after it.

    Recordings of one name in several folders are told apart by their whole paths.
    """

    def __init__(self, folder: Path, kind: str, paths: Sequence[Path], redo: bool = False) -> None:
        """kind: `textgrid` or `elan`. StoreError where the folder holds anything, unless `redo`: then files of the
        same name are replaced, and others stay."""
        if kind not in ENDINGS:
            raise UsageError(f"--format {kind}: expected json, textgrid or elan")
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder}: expected a folder or nothing, found a file")
        if folder.is_dir() and any(folder.iterdir()) and not redo:
            raise StoreError(f"{folder}: is not empty; give another folder, or --redo to write into this one")
        self.folder, self.kind = folder, kind
        count = Counter(path.stem for path in paths)
        ids = {path: path.stem if count[path.stem] == 1 else str(path) for path in paths}
        safe = file_names(ids.values())
        self._names = {path: safe[id] for path, id in ids.items()}

    def write(self, tagged: Tagged) -> Path:
        """The file of one recording: a tier of cluster numbers with confidences, and one of what they are called."""
        tiers = tag_tiers(tagged)
        path = self.folder / f"{self._names[tagged.path]}{ENDINGS[self.kind]}"
        end = max([tagged.seconds, *(tier.intervals[-1][1] for tier in tiers if tier.intervals)])
        text = textgrid(tiers, end).encode("utf-8")
        with replacing(path, sync=False) as temporary:
            temporary.write_bytes(text if self.kind == "textgrid" else eaf(tiers, tagged.path, self.folder))
        return path


def tag_tiers(tagged: Tagged) -> list[Tier]:
    """`segments` (cluster number and confidence) and `clusters` (name, else label, else number)."""
    segments = lanes("segments", ((t.start, t.end, f"{t.cluster} ({t.confidence:.2f})") for t in tagged.tags))
    return [*segments, *lanes("clusters", ((t.start, t.end, printable(t.title)) for t in tagged.tags))]
