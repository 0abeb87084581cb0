"""What is damaged, and how it is read: one class a kind of file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np

from tests.robust.mutations import damaged

By = bytes | Callable[[Path], None]


class Target:
    """Seeds of one kind of file, their damage, their reader. `read` returns lines that a user would be shown."""

    also: ClassVar[tuple[type[BaseException], ...]] = ()  # what else the command line turns into one line
    damage = staticmethod(damaged)

    def __init__(self, folder: Path) -> None:
        """Work in `folder`, and nowhere else."""
        self.folder = folder
        self.seeds: dict[str, bytes] = {}
        self.by_hand: list[tuple[str, By]] = []
        (folder / "work").mkdir(parents=True, exist_ok=True)
        self.make()

    def make(self) -> None:
        """Fill `seeds` and `by_hand`."""
        raise NotImplementedError

    def read(self, path: Path) -> list[str] | None:
        """Read a file as the program does."""
        raise NotImplementedError

    def warm(self) -> None:
        """Read every seed undamaged: imports and compilation are no part of what a file costs."""
        for name, data in self.seeds.items():
            path = self.at(name)
            path.write_bytes(data)
            self.read(path)
            self.clear(path)

    def at(self, name: str) -> Path:
        """Where a file of this name is put."""
        path = self.folder / "work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def place(self, number: int, rng: np.random.Generator) -> tuple[str, Path]:
        """Put damaged file `number` at its place; one in ten bears another seed's ending."""
        names = list(self.seeds)
        name = names[number % len(names)]
        shown = names[int(rng.integers(len(names)))] if rng.random() < 0.1 else name
        path = self.at(shown)
        others = [data for other, data in self.seeds.items() if other != name]
        path.write_bytes(self.damage(self.seeds[name], rng, others))
        return f"{name} as {shown}", path

    def place_by_hand(self, number: int) -> tuple[str, Path]:
        """Put a file made by hand at its place."""
        name, made = self.by_hand[number]
        path = self.at(name)
        if callable(made):
            made(path)
        else:
            path.write_bytes(made)
        return f"by hand {number}: {name}", path

    def clear(self, path: Path) -> None:
        """Leave nothing for the next file to meet."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
