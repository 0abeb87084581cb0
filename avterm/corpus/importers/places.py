"""Places Audio Captions and SpokenCOCO: JSON files with `data[]`, one a split; and Places' old two-column files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from avterm.corpus.importers.record import Record, Source, first_existing, text_or_none
from avterm.corpus.reading import lines, listed_images, read_json, split_named
from avterm.errors import BadInput


def read_data_json(files: list[Path]) -> Source:
    """Places (flat items), SpokenCOCO raw (`captions[]`) and unrolled (`caption{}`); the split is in the file's name.

    With a `dataset_coco.json` beside them, SpokenCOCO's captions take Karpathy's splits by sentence id.
    """
    records: list[Record] = []
    image_roots: list[Path] = []
    speech_roots: list[Path] = []
    for path in files:
        value = read_json(path)
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise BadInput(f"{path}: expected an object with a list under 'data'")
        folder = path.parent
        image_roots += _roots(folder, value.get("image_base_path"), ("images", "image", "."))
        speech_roots += _roots(folder, value.get("audio_base_path"), ("speech", "audio", "wavs", "."))
        split = split_named(path.stem)
        for place, item in enumerate(value["data"]):
            records += _items(item, split, f"{path}: item {place + 1}")
    folder = files[0].parent
    karpathy = first_existing(folder, "dataset_coco.json", "dataset.json")
    if karpathy is not None:
        records = _resplit(records, listed_images(karpathy))
    return Source(
        records,
        list(dict.fromkeys(image_roots)),
        list(dict.fromkeys(speech_roots)),
        first_existing(folder, "words.ctm", "words.jsonl", "word-alignment.json", "word-alignment.csv"),
        first_existing(folder, "boxes.json", "boxes.jsonl"),
    )


def read_old_places(folder: Path) -> Source:
    """`metadata/utt2wav`, `utt2image`, and where there `utt2ASR`, `utt2spk`: two columns, utterance and value."""
    home = folder / "metadata" if (folder / "metadata").is_dir() else folder
    columns: dict[str, dict[str, str]] = {}
    for name in ("utt2wav", "utt2image", "utt2ASR", "utt2spk"):
        path = home / name
        columns[name] = {}
        for number, line in lines(path) if path.is_file() else []:
            parts = line.split(maxsplit=1)
            if len(parts) != 2:
                raise BadInput(f"{path}:{number}: expected an utterance and a value, found {line[:60]!r}")
            columns[name][parts[0]] = parts[1].strip()
    splits: dict[str, str] = {}
    for path in sorted([*folder.glob("lists/*"), *folder.glob("*.txt"), *home.glob("*_uttids")]):
        split = split_named(path.stem)
        if split and path.is_file():
            splits |= {line.strip(): split for _, line in lines(path)}
    records = [
        Record(
            utterance,
            columns["utt2image"].get(utterance, ""),
            wav,
            splits.get(utterance),
            columns["utt2spk"].get(utterance),
            None,
            columns["utt2ASR"].get(utterance),
        )
        for utterance, wav in columns["utt2wav"].items()
    ]
    return Source(records, [folder / "images", folder], [folder / "wavs", folder / "audio", folder])


def _items(item: Any, split: str | None, where: str) -> list[Record]:
    if not isinstance(item, dict) or not isinstance(item.get("image"), str):
        raise BadInput(f"{where}: expected an object with an 'image', found {str(item)[:60]!r}")
    captions = item.get("captions", item.get("caption", item))
    captions = captions if isinstance(captions, list) else [captions]
    records = []
    for caption in captions:
        if not isinstance(caption, dict) or not isinstance(caption.get("wav"), str):
            raise BadInput(f"{where}: expected a 'wav', found {str(caption)[:60]!r}")
        id = caption.get("uttid") or item.get("uttid") or PurePosixPath(caption["wav"]).stem
        records.append(
            Record(
                str(id),
                item["image"],
                caption["wav"],
                split,
                text_or_none(caption.get("speaker", item.get("speaker"))),
                text_or_none(caption.get("language")),
                text_or_none(caption.get("text")) or text_or_none(caption.get("asr_text")),
                text_or_none(caption.get("text_alignment", item.get("text_alignment"))),
            )
        )
    return records


def _resplit(records: list[Record], images: list[dict[str, Any]]) -> list[Record]:
    splits: dict[str, str] = {}
    for image in images:
        sentences = image.get("sentids")
        for sentence in sentences if isinstance(sentences, list) else ():
            splits[str(sentence)] = split_named(str(image.get("split"))) or "train"
    return [
        Record(
            **{**vars(r), "split": splits.get(r.id.rsplit("_", 1)[-1], r.split)}
        )  # the last field is the sentence id
        for r in records
    ]


def _roots(folder: Path, given: Any, usual: tuple[str, ...]) -> list[Path]:
    roots = [folder / given] if isinstance(given, str) and given else []
    return roots + [folder / name for name in usual]
