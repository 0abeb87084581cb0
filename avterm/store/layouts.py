"""What each kind of shard must hold, looked at before anything reads an array: names, types, shapes, and offsets.

A checksum tells damage; this tells a file that somebody made, or another version of avterm. It also bounds what a
shard can make its reader allocate: an array that claims more bytes than its file has is refused, whatever its filters
say, and so is one that lies in another file.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from avterm.store.arrays import place_of

# name → type (s: text, i: signed, u: unsigned, f: float) and dimensions: a number, `rows` (of the header), any other
# name (the same length wherever it stands), either of them + 1, or `...` (whatever follows); a name that ends in a
# question mark need not be there
_EMBEDDED = {"id": "s n", "offset": "i n+1", "size": "i n 2", "frames": "i n", "box": "f rows 4", "segment": "i rows 2",
             "score": "f rows", "silence": "f rows", "speech_embedding": "f rows d", "image_embedding": "f rows d",
             "sound_embedding?": "f rows c", "left_out": "s l"}  # fmt: skip
_CLUSTERED = {"centroid": "f {0} d", "assignment": "i rows", "distance": "f rows", "size": "i {0}", "variance": "f {0}",
              "order": "i rows", "offset": "i {0}+1"}  # fmt: skip
LAYOUTS: dict[str, dict[str, str]] = {
    "features-speech": {"id": "s rows", "offset": "i rows+1", "mel": "f t m", "active": "u t", "left_out": "s l"},
    "features-images": {"image": "s rows", "size": "i rows 2", "backbone": "f rows ...", "left_out": "s l"},
    "groundings": _EMBEDDED,
    "clusters": {f"{m}/{name}": text.format(m) for m in ("speech", "image") for name, text in _CLUSTERED.items()}
    | {"affinity": "f image speech", "speech/sound?": "f speech c"},
    "labels": {"label": "s rows"},
}
_OFFSETS = {  # array of offsets → the array that they cut into pieces
    "features-speech": {"offset": "mel"},
    "groundings": {"offset": "score"},
    "clusters": {"speech/offset": "speech/order", "image/offset": "image/order"},
}
_RANGES = {  # array → the array whose rows its values number
    "clusters": {f"{m}/{name}": f"{m}/{of}" for m in ("speech", "image") for name, of in
                 (("assignment", "size"), ("order", "assignment"))},
}  # fmt: skip
_BLOCK = 1 << 20


def misfit(file: h5py.File, kind: str, rows: int, file_bytes: int) -> str | None:
    """The first thing that is not as the kind's layout has it, in words; None where all is well.

    Raises what h5py raises where the file cannot be parsed.
    """
    lengths = {"rows": rows}
    for name, text in LAYOUTS.get(kind, {}).items():
        kept, *dimensions = text.split()
        name, needed = name.removesuffix("?"), not name.endswith("?")
        found = file.get(name, getlink=True)
        if found is None and not needed:
            continue
        if found is None:
            return f"has no array {name!r}"
        dataset = file[name] if isinstance(found, h5py.HardLink) else None
        if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
            return f"{name!r} is no array of its own"
        if _letter(dataset) != kept or not _fits(dataset.shape, dimensions, lengths):
            return f"{name!r} is {dataset.dtype} {dataset.shape}, expected {text!r} with {lengths}"
        if dataset.size * dataset.dtype.itemsize > file_bytes:
            return f"{name!r} claims more bytes than the file has"
        if kept != "s" and place_of(dataset) is None:
            return f"{name!r} does not lie in one piece"
    return next(_wrong_values(file, kind), None)


def _wrong_values(file: h5py.File, kind: str) -> Iterator[str]:
    for name, of in _OFFSETS.get(kind, {}).items():
        offset = file[name][:]
        if offset[0] != 0 or offset[-1] != len(file[of]) or (np.diff(offset) < 0).any():
            yield f"{name!r} does not cut {of!r} into pieces"
    for name, of in _RANGES.get(kind, {}).items():
        dataset, most = file[name], len(file[of])
        for start in range(0, len(dataset), _BLOCK):
            block = dataset[start : start + _BLOCK]
            if block.min() < 0 or block.max() >= most:
                yield f"{name!r} numbers rows that {of!r} does not have"


def _letter(dataset: h5py.Dataset) -> str:
    return "s" if h5py.check_string_dtype(dataset.dtype) is not None else dataset.dtype.kind


def _fits(shape: tuple[int, ...], dimensions: list[str], lengths: dict[str, int]) -> bool:
    """Whether a shape is as the layout has it; lengths that were not known before are from here on."""
    if dimensions[-1] == "...":
        dimensions = dimensions[:-1]
        shape = shape[: len(dimensions)]
    if len(shape) != len(dimensions):
        return False
    for length, dimension in zip(shape, dimensions, strict=True):
        name, _, more = dimension.partition("+")
        wanted = int(name) if name.isdigit() else lengths.setdefault(name, length - int(more or 0))
        if length != wanted + int(more or 0):
            return False
    return True
