"""Published weights: from a file, read without executing anything in it, and what tells one file from another."""

from __future__ import annotations

import hashlib
import struct
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from avterm.errors import BadInput
from avterm.store.incoming import existing_file

MOST_BYTES = 8 << 30
UnpicklingError = torch.serialization.pickle.UnpicklingError  # type: ignore[attr-defined] # for more than tensors

_WHATEVER_TORCH_RAISES = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    struct.error,
    UnpicklingError,
    SafetensorError,
)


def read_weights(path: Path, of: str) -> dict[str, Tensor]:
    """The tensors of a .pth or .safetensors file by name; BadInput, in one line, where it is neither. `of` is named."""
    if path.exists():
        existing_file(path, f"{of} weights (.pth or .safetensors)", MOST_BYTES)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # of unusual pickles; what cannot be read is an error anyway
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _WHATEVER_TORCH_RAISES as error:
        found = (isinstance(error, OSError) and error.strerror) or "a file of another kind"
        raise BadInput(f"{path}: expected {of} weights (.pth or .safetensors), found: {found}") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadInput(f"{path}: expected {of} weights by name, found {type(state).__name__}")
    return state


def fitting(state: dict[str, Tensor], expected: dict[str, Tensor], path: Path, of: str) -> dict[str, Tensor]:
    """The tensors that `expected` names, as float32 where it has floats; BadInput names the first that is missing."""
    wrong = [n for n, v in expected.items() if n not in state or state[n].shape != v.shape]
    if wrong:
        raise BadInput(f"{path}: expected {of}, found no {wrong[0]!r} of shape {tuple(expected[wrong[0]].shape)}")
    return {n: state[n].to(v.dtype) for n, v in expected.items()}


def file_identity(path: Path) -> str:
    """The first eight hex digits of the file's SHA-256, as torchvision names files; BadInput where it is unreadable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:8]
    except OSError as error:
        raise BadInput(f"{path}: weights cannot be read: {error.strerror or error}") from None
