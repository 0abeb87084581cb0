"""Flickr8k Audio, and corpora laid out like it."""

from __future__ import annotations

from pathlib import Path

from avterm.corpus.importers.record import Record, Source, first_existing
from avterm.corpus.reading import lines, listed_images, split_lists, split_named
from avterm.errors import BadInput

TOKEN_FILES = ("Flickr8k.token.txt", "captions.token.txt")


def read_flickr8k(folder: Path) -> Source:
    """`wav2capt.txt` (`wav image #n`) here, above, or in a folder below; speakers, texts and splits where they are."""
    index = next(iter(sorted([*folder.glob("wav2capt.txt"), *folder.glob("*/wav2capt.txt")])), None)
    index = index or (folder.parent / "wav2capt.txt" if (folder.parent / "wav2capt.txt").is_file() else None)
    if index is None:
        raise BadInput(f"{folder}: expected a wav2capt.txt here, above or in a folder below")
    homes = list(
        dict.fromkeys([index.parent, index.parent.parent, folder, *(p for p in folder.iterdir() if p.is_dir())])
    )
    speakers = dict(_pairs(_find(homes, "wav2spk.txt")))
    texts, splits = _texts_and_splits(homes)
    records = []
    for number, line in lines(index):
        parts = line.split()
        if len(parts) != 3 or not parts[2].startswith("#"):
            raise BadInput(f"{index}:{number}: expected wav, image and #n, found {line[:80]!r}")
        wav, image, mark = parts
        records.append(
            Record(Path(wav).stem, image, wav, splits.get(image), speakers.get(wav), "en", texts.get(image + mark))
        )
    names = ("Flicker8k_Dataset", "Flickr8k_Dataset", "images", "Images")
    images = [home / name for home in homes for name in names] + homes
    speech = [home / name for home in homes for name in ("wavs", "speech", "audio")] + homes
    words = next(
        (f for home in homes if (f := first_existing(home, "flickr_8k.ctm", "words.ctm", "words.jsonl"))), None
    )
    boxes = next((f for home in homes if (f := first_existing(home, "boxes.json", "boxes.jsonl"))), None)
    return Source(records, images, speech, words, boxes)


def _texts_and_splits(homes: list[Path]) -> tuple[dict[str, str], dict[str, str]]:
    texts: dict[str, str] = {}
    splits: dict[str, str] = {}
    dataset = _find(homes, "dataset.json")
    if dataset is not None:
        for image in listed_images(dataset):
            name, sentences = str(image.get("filename")), image.get("sentences")
            splits[name] = split_named(str(image.get("split"))) or "train"
            for place, sentence in enumerate(sentences if isinstance(sentences, list) else ()):
                texts[f"{name}#{place}"] = str(sentence.get("raw", "")) if isinstance(sentence, dict) else str(sentence)
    for name in TOKEN_FILES:
        path = _find(homes, name)
        for number, line in lines(path) if path else []:
            key, tab, text = line.partition("\t")
            if not tab:
                raise BadInput(f"{path}:{number}: expected image#n, a tab and a text, found {line[:80]!r}")
            texts[key.strip()] = text.strip()
    for home in homes:
        splits |= split_lists(home)
    return texts, splits


def _find(homes: list[Path], name: str) -> Path | None:
    return next((home / name for home in homes if (home / name).is_file()), None)


def _pairs(path: Path | None) -> list[tuple[str, str]]:
    found = []
    for number, line in lines(path) if path else []:
        parts = line.split()
        if len(parts) != 2:
            raise BadInput(f"{path}:{number}: expected a wav and a speaker, found {line[:60]!r}")
        found.append((parts[0], parts[1]))
    return found
