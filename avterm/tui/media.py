"""What a pair looks and sounds like: manifest line, words, spectrogram, recording and picture, read one at a time.

Everything here blocks on the disk and is called from threads only. What cannot be read raises AvtermError.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np

from avterm import units
from avterm.corpus.manifest import Pair
from avterm.errors import AvtermError, BadInput, StoreError, printable
from avterm.store.features import SPEECH
from avterm.store.run import Run
from avterm.store.shards import Shard, read_header
from avterm.tui.lines import JsonLines

Value = TypeVar("Value")
FEW = 4  # feature shards that may all be opened in search of a pair
FEW_BYTES = 32 << 20  # of word times


@dataclass(frozen=True)
class Readers:
    """The readers of sound and pictures, handed in so that their libraries load when first used, not at the start."""

    audio: Callable[[Path], np.ndarray]  # float32 (samples,) at 16 kHz
    log_mel: Callable[[np.ndarray], np.ndarray]  # samples → float32 (frames, 40)
    picture: Callable[[Path], np.ndarray]  # uint8 (H, W, 3)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and its time in seconds."""

    word: str
    start: float
    end: float


class _Recent(Generic[Value]):
    """The last few values, by key."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: OrderedDict[str, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
        return value


class Media:
    """The media of a run's pairs."""

    def __init__(self, run: Run, readers: Readers) -> None:
        """Nothing is read yet."""
        self.run = run
        self.readers = readers
        self.folder = run.corpus_path.parent
        self._pairs = JsonLines(run.corpus_path)
        self._words = JsonLines(self.folder / "words.jsonl")
        self._features = _SpeechShards(run.features_path)
        self._sounds: _Recent[np.ndarray] = _Recent(24)
        self._mels: _Recent[np.ndarray] = _Recent(64)
        self._pictures: _Recent[np.ndarray] = _Recent(48)

    def pair(self, id: str) -> Pair:
        """The manifest's line; BadInput where there is none."""
        record = self._pairs.find(id)
        if record is None or not isinstance(record.get("image"), str) or not isinstance(record.get("speech"), str):
            raise BadInput(f"{id}: not in {self.run.corpus_path}; the run was made from another corpus")
        known = {k: str(v) for k in Pair.__slots__ if (v := record.get(k)) is not None}
        return Pair(**known)

    def words(self, id: str) -> list[Spoken]:
        """The caption's words, if word times lie beside the corpus; unusable ones are left out."""
        record = self._words.find(id) or {}
        listed = record.get("words")
        words = [_spoken(value) for value in listed] if isinstance(listed, list) else []
        return [word for word in words if word is not None]

    @property
    def words_are_few(self) -> bool:
        """Whether words may be looked up for every row of a list, as the file with them is small."""
        try:
            return self._words.path.stat().st_size < FEW_BYTES
        except OSError:
            return False

    def sound(self, id: str) -> np.ndarray:
        """float32 (samples,) of the whole caption at 16 kHz."""
        path = self.folder / self.pair(id).speech
        return self._sounds.get(id, lambda: self.readers.audio(path))

    def mel(self, id: str) -> np.ndarray:
        """float32 (frames, 40): from the feature store, else computed from the recording."""

        def make() -> np.ndarray:
            stored = self._features.mel(id, self._pairs.line)
            return self.readers.log_mel(self.sound(id)) if stored is None else stored.astype(np.float32)

        return self._mels.get(id, make)

    def picture(self, id: str) -> np.ndarray:
        """uint8 (H, W, 3), made smaller where it has more pixels than a terminal can show."""
        path = self.folder / self.pair(id).image

        def make() -> np.ndarray:
            picture = self.readers.picture(path)
            step = max(1, max(picture.shape[:2]) // 1000)
            return np.ascontiguousarray(picture[::step, ::step])

        return self._pictures.get(str(path), make)


class _SpeechShards:
    """Feature shards, of which only the one that a pair lies in is opened: a big corpus has gigabytes of them.

    Shards hold blocks of the corpus in its order, so the pair's line number says which shard to open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._open: dict[Path, tuple[Shard, dict[str, int]]] = {}
        self._ends: list[tuple[int, Path]] | None = None
        self._lock = Lock()

    def mel(self, id: str, line: Callable[[str], int | None]) -> np.ndarray | None:
        """float16 (frames, 40); None where no shard that can be read has the pair. `line`: where it stands in the
        manifest, asked only where there are many shards."""
        with self._lock:
            for path in self._candidates(id, line):
                try:
                    shard, rows = self._shard(path)
                    if id in rows:
                        start, stop = (int(v) for v in shard["offset"][rows[id] : rows[id] + 2])
                        return shard["mel"][start:stop]
                except (StoreError, OSError):
                    continue  # damaged: the recording may still be readable
        return None

    def _candidates(self, id: str, line: Callable[[str], int | None]) -> list[Path]:
        """The shard that should hold the pair's line of the manifest; all of them while they are few."""
        if self._ends is None:
            self._ends, last = [], 0
            for path in sorted(self.folder.glob("speech-?????.h5")):
                try:
                    header = read_header(path, SPEECH)
                except StoreError:
                    continue
                last += header.rows + int(header.info.get("left_out", 0))
                self._ends.append((last, path))
        paths = [path for _, path in self._ends]
        if len(paths) <= FEW:
            return paths
        at = line(id)
        return [path for end, path in self._ends if at is not None and at < end][:1]

    def _shard(self, path: Path) -> tuple[Shard, dict[str, int]]:
        if path not in self._open:
            shard = Shard(path, SPEECH)
            self._open[path] = (shard, {id: i for i, id in enumerate(shard.texts("id"))})
        return self._open[path]


def _spoken(value: Any) -> Spoken | None:
    if not isinstance(value, dict):
        return None
    word, start, end = value.get("word"), value.get("start"), value.get("end")
    if not isinstance(word, str) or not isinstance(start, int | float) or not isinstance(end, int | float):
        return None
    return Spoken(word, float(start), float(end))


@dataclass(frozen=True)
class Seen:
    """All there is to show of a pair; what could not be read is None, with the reason."""

    pair: Pair | None
    words: list[Spoken]
    mel: np.ndarray | None
    no_mel: str
    picture: np.ndarray | None
    no_picture: str


def spoken(words: list[Spoken], start: int, end: int) -> str | None:
    """The words of which at least 30% of the time lies inside the frames [start, end) (section 5); None: none."""
    low, high = units.seconds_in(start), units.seconds_in(end)
    held = [w.word for w in words if min(w.end, high) - max(w.start, low) >= 0.3 * max(w.end - w.start, 1e-9)]
    return " ".join(held) or None


def look_at(media: Media, id: str) -> Seen:
    """Blocks. Read what can be read of a pair."""
    pair, _ = _attempt(media.pair, id)
    mel, no_mel = _attempt(media.mel, id)
    picture, no_picture = _attempt(media.picture, id)
    return Seen(pair, media.words(id), mel, no_mel, picture, no_picture)


def _attempt(work: Callable[[str], Value], id: str) -> tuple[Value | None, str]:
    try:
        return work(id), ""
    except (AvtermError, OSError) as error:
        return None, printable(str(error))
