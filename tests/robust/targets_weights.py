"""Checkpoints, training states and published weights."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from avterm.config import resolve
from avterm.errors import StoreError
from avterm.model.checkpoint import load_model, save_model
from avterm.model.pair import PairModel
from avterm.training.loop import make_optimiser
from avterm.training.state import Place, load_state, save_state
from avterm.vision.weights import read_weights
from tests.robust.mutations import EVIL_PICKLE
from tests.robust.targets import Target
from tests.robust.targets_media import NOT_FILES


class Checkpoints(Target):
    """Weights and training states (safetensors), and published weights (.pth)."""

    def make(self) -> None:
        """A small model's files."""
        config = resolve(overrides={"model": {"width": 1 / 64, "embedding": 4, "speech_branch": "harwath2016"}})
        model = PairModel(config.model, 8, config.speech.mels)
        home = self.folder / "seed"
        save_model(home / "best.safetensors", model, config)
        self.config = config
        optimiser = make_optimiser(model, config.training)
        save_state(home / "state.safetensors", model, optimiser, {}, Place(), "f")
        pth = io.BytesIO()
        torch.save({"a": torch.zeros(2)}, pth)
        old = io.BytesIO()
        torch.save({"a": torch.zeros(2)}, old, _use_new_zipfile_serialization=False)
        self.seeds = {p.name: p.read_bytes() for p in sorted(home.glob("*.safetensors"))}
        self.seeds |= {"new.pth": pth.getvalue(), "old.pth": old.getvalue()}
        plain = self.seeds["best.safetensors"]
        head = json.loads(plain[8 : 8 + struct.unpack("<Q", plain[:8])[0]])
        self.by_hand = [
            *(("best.safetensors", struct.pack("<Q", size) + b"{") for size in (0, 1, 1 << 30, 1 << 63, (1 << 64) - 1)),
            ("best.safetensors", struct.pack("<Q", 100_000) + b"[" * 100_000),
            *(("best.safetensors", self._with(head, plain, change)) for change in HEADS),
            ("new.pth", self._evil_zip(pth.getvalue())),
            ("old.pth", EVIL_PICKLE),
            ("new.pth", self._bomb()),
            *((name, make) for make in NOT_FILES for name in ("best.safetensors", "new.pth")),
        ]

    @staticmethod
    def _with(head: dict, plain: bytes, change: Callable[[dict], object]) -> bytes:
        head = json.loads(json.dumps(head))
        meta = json.loads(head["__metadata__"]["metadata"])
        changed = change(meta)
        head["__metadata__"]["metadata"] = changed if isinstance(changed, str) else json.dumps(meta)
        text = json.dumps(head).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + plain[8 + struct.unpack("<Q", plain[:8])[0] :]

    @staticmethod
    def _evil_zip(good: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(made, "w") as new:
            for name in old.namelist():
                evil = name.endswith("data.pkl")
                new.writestr(name, EVIL_PICKLE if evil else old.read(name))
        return made.getvalue()

    @staticmethod
    def _bomb() -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
            new.writestr("archive/data.pkl", b"\0" * (1 << 28))
        return made.getvalue()

    def read(self, path: Path) -> list[str] | None:
        """As grounding, training and the backbones do."""
        said = []
        if path.suffix == ".safetensors":
            model = PairModel(self.config.model, 8, self.config.speech.mels)
            optimiser = make_optimiser(model, self.config.training)
            for read in (lambda: load_model(path), lambda: load_state(path, model, optimiser, {}, "f")):
                try:
                    read()
                except StoreError as error:
                    said.append(str(error))
        read_weights(path, "VGG-16")
        return said


HEADS: tuple[Callable[[dict], object], ...] = (
    lambda meta: "[]",
    lambda meta: "3",
    lambda meta: "[" * 5000,
    lambda meta: "9" * 5000,
    lambda meta: meta.update(config=3),
    lambda meta: meta.update(config={"model": 3}),
    lambda meta: meta.update(image_size=float("inf")),
    lambda meta: meta.update(image_size=1 << 20),
    lambda meta: meta["config"]["model"].update(width=64.0, embedding=65_536),
    lambda meta: meta["config"]["model"].update(width=1e-9),
    lambda meta: meta["config"]["model"].update(dropout=-5.0),
    lambda meta: meta["config"]["speech"].update(mels=1 << 40),
    lambda meta: meta["config"]["speech"].update(mels=-1),
    lambda meta: meta["config"]["model"].update(speech_branch="x\x1b[2J"),
    lambda meta: meta.update(place={"epoch": "x"}),
    lambda meta: meta.update(scalars=3),
    lambda meta: meta["config"]["model"].update(embedding=0),
)
