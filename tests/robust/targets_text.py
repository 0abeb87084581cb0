"""Manifests, the importers' files, word times, boxes, written captions."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from avterm.corpus.boxes import read_boxes
from avterm.corpus.captions import read_written
from avterm.corpus.importing import Import, import_corpus
from avterm.corpus.manifest import Corpus
from avterm.corpus.words import read_words
from avterm.errors import AvtermError
from avterm.progress import Silent
from avterm.store.incoming import existing_file
from tests.robust.mutations import ESCAPED, damaged_json, damaged_text
from tests.robust.small import make_corpus
from tests.robust.targets import Target
from tests.robust.targets_media import NOT_FILES

DEEP = b"[" * 200_000
DIGITS = b"9" * 5_000
EVIL_IDS = ("\x1b[2J", f"../../{ESCAPED}", "a\0b", "/etc/passwd", "..", "x" * 5000)


class Manifests(Target):
    """corpus.jsonl."""

    damage = staticmethod(damaged_json)

    def make(self) -> None:
        """A manifest, and lines that are none."""
        corpus = make_corpus(self.folder / "seed", 4)
        self.seeds["corpus.jsonl"] = corpus.path.read_bytes()
        line = b'{"id": %s, "image": "a.png", "speech": "a.wav"}'
        self.by_hand = [
            ("corpus.jsonl", DEEP),
            ("corpus.jsonl", b'{"id":' * 100_000),
            ("corpus.jsonl", line % DIGITS),
            ("corpus.jsonl", line % b'"\\ud800"'),
            ("corpus.jsonl", b"\xff\xfe{}"),
            ("corpus.jsonl", b""),
            *(("corpus.jsonl", line % json.dumps(text).encode()) for text in EVIL_IDS),
            *(("corpus.jsonl", make) for make in NOT_FILES),
        ]

    def read(self, path: Path) -> list[str] | None:
        """Load it, look at every pair, and name every file that is not there."""
        corpus = Corpus.load(path)
        said = [corpus.fingerprint]
        for pair in corpus:
            try:
                existing_file(corpus.image_path(pair), "a picture", 1 << 20)
            except AvtermError as error:
                said.append(str(error))
        return said


class Importers(Target):
    """What `avterm corpus import` reads; the damaged file lies among good ones."""

    damage = staticmethod(damaged_json)

    def make(self) -> None:
        """Sources in all formats around the same few files."""
        corpus = make_corpus(self.folder / "seed", 3)
        pairs = [(p.id, p.image, p.speech) for p in corpus]
        flat = {
            "data": [
                {
                    "uttid": id,
                    "image": i,
                    "wav": w,
                    "speaker": "s",
                    "asr_text": "a",
                    "text_alignment": "0.0__A__0.5 0.5__B__0.9",
                }
                for id, i, w in pairs
            ]
        }
        nested = {
            "data": [
                {"image": i, "captions": [{"uttid": id, "wav": w, "text": "a b", "speaker": "s"}]} for id, i, w in pairs
            ]
        }
        karpathy = {
            "images": [
                {"filename": i, "split": "val", "sentids": [1], "sentences": [{"raw": "a"}]} for _, i, _ in pairs
            ]
        }
        rows = "".join(f"{id},{i},{w},train,s,en,a\n" for id, i, w in pairs)
        self.seeds = {
            "places_train.json": json.dumps(flat).encode(),
            "SpokenCOCO_val.json": json.dumps(nested).encode(),
            "wav2capt.txt": "".join(f"{w} {i} #0\n" for _, i, w in pairs).encode(),
            "wav2spk.txt": "".join(f"{w} 1\n" for _, _, w in pairs).encode(),
            "dataset.json": json.dumps(karpathy).encode(),
            "table.csv": f"id,image,speech,split,speaker,language,text\n{rows}".encode(),
            "table.tsv": f"id,image,speech,split,speaker,language,text\n{rows}".replace(",", "\t").encode(),
            "table.jsonl": "".join(json.dumps({"image": i, "speech": w}) + "\n" for _, i, w in pairs).encode(),
            "utt2wav": "".join(f"u{k} {w}\n" for k, (_, _, w) in enumerate(pairs)).encode(),
            "utt2image": "".join(f"u{k} {i}\n" for k, (_, i, _) in enumerate(pairs)).encode(),
            "Flickr8k.token.txt": "".join(f"{i}#0\ta b\n" for _, i, _ in pairs).encode(),
            "words.ctm": "".join(f"{w[:-4]} 1 0.0 0.5 a\n" for _, _, w in pairs).encode(),
            "boxes.json": json.dumps({i: [{"word": "a", "box": [0, 0, 9, 9]}] for i, _, _ in pairs}).encode(),
        }
        self.by_hand = [
            *(("places_train.json", b'{"data": ' + bad) for bad in (DEEP, DIGITS + b"}", b"[null]}", b'["\\ud800"]}')),
            ("table.csv", b"image,speech\n" + b'"' + b"x" * 300_000),
            ("table.csv", b"image,speech\n\0,\0\n"),
            ("table.csv", b"image,speech\n../../../../etc/passwd,../../../../etc/passwd\n"),
            ("table.csv", b"image,speech,id\n0.png,0.wav,\x1b[2J\n"),
            ("wav2capt.txt", b"../../../../../etc/passwd ../../../../../etc/passwd #0\n"),
            *((name, make) for make in NOT_FILES for name in ("table.csv", "wav2capt.txt", "places_train.json")),
        ]

    def at(self, name: str) -> Path:
        """In a folder with the good files that belong to it, and a loop of links."""
        home = self.folder / "work" / "source"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for file in sorted((self.folder / "seed").glob("*.[pw]*[gv]")):
            os.link(file, home / file.name)
        (home / "round").symlink_to(home)
        company = {
            "wav2spk.txt": ["wav2capt.txt"],
            "dataset.json": ["wav2capt.txt"],
            "Flickr8k.token.txt": ["wav2capt.txt"],
            "utt2image": ["utt2wav"],
            "utt2wav": ["utt2image"],
            "words.ctm": ["table.csv"],
            "boxes.json": ["wav2capt.txt"],
        }
        for other in company.get(name, []):
            (home / other).write_bytes(self.seeds[other])
        return home / name

    def clear(self, path: Path) -> None:
        """The whole folder goes, and the corpus that was made of it."""
        shutil.rmtree(self.folder / "work", ignore_errors=True)

    def read(self, path: Path) -> list[str] | None:
        """Import the folder; for captions that wait for a voice, read those too."""
        progress, said = Silent(), []
        for read in (
            lambda: import_corpus([path.parent], self.folder / "work" / "corpus", Import(), progress),
            lambda: read_written(path),
        ):
            try:
                _, problems = read()
                said += [str(problem) for problem in problems]
            except AvtermError as error:
                said.append(str(error))
        return said


class Alignments(Target):
    """Word times."""

    damage = staticmethod(damaged_json)

    def make(self) -> None:
        """All formats, and XML and regular expressions that would take for ever."""
        long = (
            'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1\ntiers? <exists>\nsize = 1\n'
            'item []:\n    item [1]:\n        class = "IntervalTier"\n        name = "words"\n        xmin = 0\n'
            "        xmax = 1\n        intervals: size = 2\n        intervals [1]:\n            xmin = 0\n"
            '            xmax = 0.5\n            text = "a ""b"""\n        intervals [2]:\n            xmin = 0.5\n'
            '            xmax = 1\n            text = "c"\n'
        )
        short = '"ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n1\n"IntervalTier"\n"words"\n0\n1\n1\n0\n1\n"a"\n'
        eaf = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT><TIME_ORDER>'
            '<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="500"/></TIME_ORDER>'
            '<TIER TIER_ID="words"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" '
            'TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>a</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>'
            "</ANNOTATION_DOCUMENT>"
        )
        words = [{"word": "a", "start": 0.0, "end": 0.5}, {"word": "b", "start": 0.5, "end": 1}]
        self.seeds = {
            "0.TextGrid": long.encode(),
            "1.TextGrid": short.encode(),
            "2.TextGrid": long.encode("utf-16"),
            "0.eaf": eaf.encode(),
            "a.ctm": b";; c\n0 1 0.0 0.5 a\n1 1 0.5 0.25 b\n",
            "a.jsonl": b"".join(json.dumps({"id": f"pair {i}", "words": words}).encode() + b"\n" for i in range(3)),
            "a.json": json.dumps(
                {
                    "data": [
                        {"uttid": "0", "text_alignment": "0.0__A__0.5"},
                        {"id": "1", "word": "a", "start": 0, "end": 1},
                    ]
                }
            ).encode(),
            "a.csv": b"id,word,start,end\n0,a,0.0,0.5\n1,b,0.5,0.75\n",
        }
        laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
        bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a>&l11;</a>'
        square = f'<!DOCTYPE a [<!ENTITY x "{"x" * 200_000}">]><a>{"&x;" * 200_000}</a>'
        outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><ANNOTATION_DOCUMENT>&x;</ANNOTATION_DOCUMENT>'
        grid = b'"ooTextFile" "TextGrid" 0 1 1 "IntervalTier" "words" 0 1 '
        self.by_hand = [
            ("0.eaf", bomb.encode()),
            ("0.eaf", square.encode()),
            ("0.eaf", outside.encode()),
            ("0.eaf", b"<a>" * 300_000),
            ("0.eaf", b"<a " + b"".join(b'x%d="" ' % i for i in range(100_000)) + b"/>"),
            ("0.eaf", eaf.replace("UTF-8", "rot13").encode()),
            ("0.eaf", eaf.replace("UTF-8", "utf-7").encode()),
            ("0.eaf", eaf.replace('"500"', '"\u00b2"').encode()),
            ("0.eaf", eaf.replace('"500"', f'"{"9" * 5000}"').encode()),
            ("0.eaf", eaf.replace('"500"', '"\u0663"').encode()),
            ("0.TextGrid", b'"ooTextFile" [' + b" " * 400_000),
            ("0.TextGrid", grid + b'99999999999 0 1 "a"'),
            ("0.TextGrid", b'"ooTextFile"' + b'"' * 1_000_001),
            ("0.TextGrid", b'"ooTextFile"' + b"-" * 1_000_000),
            ("0.TextGrid", b'"ooTextFile"' + b"1e" * 1_000_000),
            ("0.TextGrid", grid + b"1e999"),
            ("0.TextGrid", grid + b"-1 0 1"),
            ("0.TextGrid", b"\xff\xfe" + b"\0\xd8" * 100),
            ("a.ctm", b"0 1 " + DIGITS + b" 1 a\n"),
            ("a.ctm", b"\x1b[2J 1 nan 1 a\n"),
            ("a.jsonl", b'{"id": "0", "words": [{"word": "a", "start": %s, "end": 1}]}' % (b"9" * 400)),
            ("a.jsonl", b'{"id": "0", "words": [{"word": "a", "start": %s, "end": 1}]}' % DIGITS),
            ("a.json", DEEP),
            ("a.json", b'{"a": {"words": 1}}'),
            *((f"0{ending}", make) for make in NOT_FILES for ending in (".TextGrid", ".eaf", ".ctm", ".json")),
        ]
        pairs = make_corpus(self.folder / "seed", 3)
        odd = [".", "..", "/", "a/..", "\x1b[2J.wav", "../../x.wav"]
        lines = "".join(json.dumps({"id": f"odd {i}", "image": "0.png", "speech": s}) + "\n" for i, s in enumerate(odd))
        pairs.path.write_text(pairs.path.read_text() + lines)
        self.corpus = Corpus.load(pairs.path)

    def read(self, path: Path) -> list[str] | None:
        """As `avterm evaluate --words` does."""
        found = read_words(path, self.corpus)
        read_words(path)
        if any(not 0 <= word.start <= word.end < 1e300 for words in found.values() for word in words):
            raise ValueError("a word at no time")
        return None


class Boxes(Target):
    """True boxes."""

    damage = staticmethod(damaged_json)

    def make(self) -> None:
        """Both formats."""
        corpus = make_corpus(self.folder / "seed", 3)
        self.seeds["a.jsonl"] = corpus.boxes_path.read_bytes()
        self.seeds["a.json"] = json.dumps({"pair 0": [{"word": "a", "box": [0, 0, 9, 9.5]}]}).encode()
        box = b'{"id": "a", "boxes": [{"word": "a", "box": %s}]}'
        bad = (
            DEEP,
            DIGITS,
            b"[0, 0, 1e400, 1]",
            b"[0, 0, NaN, 1]",
            b"[0, 0, %s, 1]" % (b"9" * 400),
            b"{}",
            b'"abcd"',
            b"[true, true, 2, 2]",
            b"null",
        )
        self.by_hand = [("a.jsonl", box % text) for text in bad]
        self.by_hand += [
            ("a.json", b"[" * 100_000),
            ("a.json", b"[]"),
            ("a.json", b"3"),
            ("a.jsonl", b'{"id": [], "boxes": []}'),
        ]
        self.by_hand += [("a.json", make) for make in NOT_FILES]

    def read(self, path: Path) -> list[str] | None:
        """As `avterm evaluate --boxes` does."""
        read_boxes(path)
        return None


class Captions(Target):
    """Written captions for `avterm corpus speak`."""

    damage = staticmethod(damaged_text)

    def make(self) -> None:
        """COCO's and token files."""
        make_corpus(self.folder / "seed", 2)
        coco = {
            "images": [{"id": 1, "file_name": "0.png"}],
            "annotations": [{"id": 1, "image_id": 1, "caption": "a b"}],
        }
        self.seeds = {
            "captions_val.json": json.dumps(coco).encode(),
            "x.token.txt": b"0.png#0\ta b\n1.png#0\tc\n",
            "t.csv": b"image,text\n0.png,a b\n",
        }
        self.by_hand = [
            ("x.token.txt", b"0.png#\xc2\xb2\ta\n"),
            ("x.token.txt", b"0.png#" + DIGITS + b"\ta\n"),
            ("captions_val.json", DEEP),
            ("captions_val.json", b'{"images": [{"id": %s}]}' % DIGITS),
        ]

    def read(self, path: Path) -> list[str] | None:
        """Every caption and problem."""
        _, problems = read_written(path, self.folder / "seed")
        return [str(problem) for problem in problems]
