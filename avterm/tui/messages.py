"""What screens ask of the app: which screen to show next."""

from __future__ import annotations

from pathlib import Path

from textual.message import Message


class OpenCluster(Message):
    """Show a cluster."""

    def __init__(self, modality: str, cluster: int) -> None:
        super().__init__()
        self.modality, self.cluster = modality, cluster


class OpenPair(Message):
    """Show the pair of a grounding, with the cursor on it."""

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row


class OpenSearch(Message):
    """Show the search, and search with this file at once if there is one; `kind` is `sound` or `picture`."""

    def __init__(self, path: Path | None = None, kind: str = "sound") -> None:
        super().__init__()
        self.path, self.kind = path, kind
