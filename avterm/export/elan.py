"""ELAN .eaf files, format 3.0."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from avterm.export.tiers import Tier

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_KINDS = {".wav": "audio/x-wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg"}
_WRITTEN = "1970-01-01T00:00:00+00:00"  # same input, same bytes


def eaf(tiers: Sequence[Tier], recording: Path, folder: Path) -> bytes:
    """An .eaf of time-aligned tiers that will lie in `folder`, linked to its recording; UTF-8."""
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "avterm",
            "DATE": _WRITTEN,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    notes = [(tier, interval) for tier in tiers for interval in tier.intervals]
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    ET.SubElement(header, "MEDIA_DESCRIPTOR", _media(recording, folder))
    used = ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
    used.text = str(len(notes))
    slots = _slots(root, {round(1000 * t) for _, interval in notes for t in interval[:2]})
    number = 0
    for tier in tiers:
        row = ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": tier.name})
        for start, end, text in tier.intervals:
            number += 1
            times = {f"TIME_SLOT_REF{i}": slots[round(1000 * t)] for i, t in ((1, start), (2, end))}
            note = ET.SubElement(ET.SubElement(row, "ANNOTATION"), "ALIGNABLE_ANNOTATION")
            note.attrib |= {"ANNOTATION_ID": f"a{number}", **times}
            ET.SubElement(note, "ANNOTATION_VALUE").text = text
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "default-lt", "TIME_ALIGNABLE": "true"}
    ET.SubElement(root, "LINGUISTIC_TYPE", kind)
    ET.indent(root, " ")
    data: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data + b"\n"


def _media(recording: Path, folder: Path) -> dict[str, str]:
    absolute = recording.resolve()
    relative = quote(os.fsencode(os.path.relpath(absolute, folder.resolve())))
    return {
        "MEDIA_URL": absolute.as_uri(),
        "MIME_TYPE": _KINDS.get(recording.suffix.lower(), "audio/*"),
        "RELATIVE_MEDIA_URL": relative if relative.startswith("..") else f"./{relative}",
    }


def _slots(root: ET.Element, times: set[int]) -> dict[int, str]:
    """A time slot for each moment, in order of time: {milliseconds: its id}."""
    order = ET.SubElement(root, "TIME_ORDER")
    slots = {}
    for number, time in enumerate(sorted(times), 1):
        slots[time] = f"ts{number}"
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slots[time], "TIME_VALUE": str(time)})
    return slots
