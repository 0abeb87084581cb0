"""Written captions of pictures, wherever they stand: what `avterm corpus speak` gives voices to.

Read are an avterm corpus with `text`; Flickr8k's token files (`image#n<TAB>text`) with the lists of images beside
them; Karpathy's `dataset.json`; COCO's caption files; and CSV, TSV or JSONL with columns `image` and `text`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avterm.corpus.manifest import Corpus
from avterm.corpus.reading import SPLIT_NAMES, lines, listed_images, read_json, read_rows, split_lists, split_named
from avterm.errors import BadInput, Problem

_COUNT = re.compile(r"[0-9]{1,9}")
_IMAGE_FOLDERS = ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k_images", "flickr30k-images")


@dataclass(frozen=True, slots=True)
class Written:
    """One written caption: `image` is where the picture lies, `picture` names it among the source's pictures."""

    id: str
    image: Path
    text: str
    picture: str
    split: str = "train"
    language: str | None = None


def read_written(source: Path, images: Path | None = None) -> tuple[list[Written], list[Problem]]:
    """Every written caption of `source`, a file or a folder that holds one, and what had to be left out.

    `images` is the folder that picture names are relative to, where it is not beside the source. Left out are captions
    without text, without a picture on disk, of pictures that stand in none of the split lists, and second uses of an
    id. Raises BadInput where the source is none of the known forms.
    """
    source = _source_file(Path(source))
    written: list[Written] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for caption in _reader(source)(source, images, problems):
        if caption.id in seen:
            problems.append(Problem(caption.id, "duplicate", f"{source.name} has this id twice; the first is kept"))
        elif not caption.text.strip():
            problems.append(Problem(caption.id, "empty", "expected a written caption, found none"))
        elif not os.path.isfile(caption.image):
            problems.append(
                Problem(caption.id, "missing", f"{caption.image}: no picture here; --images gives its folder")
            )
        else:
            written.append(caption)
        seen.add(caption.id)
    return written, problems


def first_captions(written: Iterable[Written], count: int | None) -> list[Written]:
    """The first `count` captions of each picture, or all of them, in order."""
    used: dict[str, int] = {}
    kept = []
    for caption in written:
        used[caption.picture] = used.get(caption.picture, 0) + 1
        if count is None or used[caption.picture] <= count:
            kept.append(caption)
    return kept


def _source_file(source: Path) -> Path:
    if not source.is_dir():
        if not source.is_file():
            raise BadInput(f"{source}: no such file or folder")
        return source
    for pattern in ("corpus.jsonl", "*token.txt", "*.token", "dataset*.json", "captions*.json", "*.tsv", "*.csv"):
        found = sorted(source.glob(pattern))
        if found:
            return found[0]
    raise BadInput(
        f"{source}: expected an avterm corpus, a token file (image#n<TAB>text), dataset.json or a table with the "
        "columns image and text; name the file itself if it is called otherwise"
    )


Reader = Callable[[Path, Path | None, list[Problem]], Iterator[Written]]


def _reader(source: Path) -> Reader:
    if source.name == "corpus.jsonl":
        return _from_corpus
    return {".json": _from_json, ".jsonl": _from_table, ".csv": _from_table, ".tsv": _from_table}.get(
        source.suffix.lower(), _from_tokens
    )


def _from_corpus(source: Path, images: Path | None, problems: list[Problem]) -> Iterator[Written]:
    corpus = Corpus.load(source)
    for pair in corpus:
        image = images / Path(pair.image).name if images else corpus.image_path(pair)
        yield Written(pair.id, image, pair.text or "", pair.image, pair.split, pair.language)


def _from_tokens(source: Path, images: Path | None, problems: list[Problem]) -> Iterator[Written]:
    splits = split_lists(source.parent)
    root = images or _image_root(source.parent)
    for number, line in lines(source):
        name, tab, text = line.partition("\t")
        image, _, which = name.partition("#")
        if not tab or not _COUNT.fullmatch(which.strip()):
            problems.append(
                Problem(f"{source.name}:{number}", "malformed", f"expected image#n<TAB>text, found {line!r}")
            )
            continue
        id = f"{_stem(image)}_{int(which)}"
        if splits and image not in splits:
            problems.append(
                Problem(id, "unlisted", f"{image} stands in none of the lists of images beside {source.name}")
            )
            continue
        yield Written(id, root / image, text.strip(), image, splits.get(image, "train"))


def _from_json(source: Path, images: Path | None, problems: list[Problem]) -> Iterator[Written]:
    listed, data = listed_images(source), read_json(source)
    root = images or _image_root(source.parent)
    if isinstance(data.get("annotations"), list):
        yield from _from_coco(data, root, split_named(source.stem) or "train")
        return
    for item in listed:
        name = str(item.get("filename", ""))
        path = root / str(item.get("filepath", "")) / name
        split = SPLIT_NAMES.get(str(item.get("split", "train")), "train")
        sentences = item.get("sentences")
        for number, sentence in enumerate(sentences if isinstance(sentences, list) else ()):
            text = str(sentence.get("raw", "")) if isinstance(sentence, dict) else str(sentence)
            yield Written(f"{_stem(name)}_{number}", path, text.strip(), name, split)


def _from_coco(data: dict[str, Any], root: Path, split: str) -> Iterator[Written]:
    names = {str(item.get("id")): str(item.get("file_name", "")) for item in data["images"]}
    for item in data["annotations"]:
        if isinstance(item, dict) and "caption" in item:
            name = names.get(str(item.get("image_id")), "")
            yield Written(f"{_stem(name)}_{item.get('id')}", root / name, str(item["caption"]).strip(), name, split)


def _from_table(source: Path, images: Path | None, problems: list[Problem]) -> Iterator[Written]:
    root = images or source.parent
    counts: dict[str, int] = {}
    for number, row in read_rows(source, ("image", "text")):
        image, text = row.get("image") or "", row.get("text") or ""
        if not image:
            problems.append(
                Problem(f"{source.name}:{number}", "malformed", "expected a picture under 'image', found none")
            )
            continue
        which = counts[image] = counts.get(image, -1) + 1
        split = SPLIT_NAMES.get(row.get("split", "train").lower(), "train")
        id = row.get("id") or f"{_stem(image)}_{which}"
        yield Written(id, root / image, text.strip(), image, split, row.get("language") or None)


def _image_root(folder: Path) -> Path:
    return next((folder / name for name in _IMAGE_FOLDERS if (folder / name).is_dir()), folder)


def _stem(image: str) -> str:
    """The picture's name without its ending, folders kept, so that a/1.jpg and b/1.jpg differ."""
    return image.rsplit(".", 1)[0] if "." in image.rpartition("/")[2] else image


def in_language(written: Iterable[Written], language: str | None) -> list[Written]:
    """The captions with a language each: `language`, else their own, else English."""
    return [replace(caption, language=language or caption.language or "en") for caption in written]
