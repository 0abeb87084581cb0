"""Clusters of one k: of the segments and of the crops, and how much they belong together (section 4).

clusters/k00050.h5
    {speech,image}/centroid     float32 (k, D)    mean of the members' embeddings
    speech/sound                float32 (k, C)    centroids that segments were assigned by, where by their sound
    {speech,image}/assignment   int32 (rows,)     cluster of each grounding, in the order of the grounding store
    {speech,image}/distance     float32 (rows,)   squared distance of each grounding to its centroid (of sounds, if any)
    {speech,image}/size         int64 (k,)
    {speech,image}/variance     float64 (k,)      mean squared distance of the members to the centroid; NaN if empty
    {speech,image}/order        int64 (rows,)     groundings by cluster, from the centre outwards
    {speech,image}/offset       int64 (k + 1)     cluster c's members are order[offset[c]:offset[c + 1]]
    affinity                    float64 (k_image, k_speech)   Equation 2

Where info has `noise`, not 0, the last speech cluster holds so many segments, those far from all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from avterm.errors import StoreError
from avterm.store.shards import Header, Shard, write_shard

KIND = "clusters"
NOISE = "(noise)"  # what the cluster of noise is called


def clusters_path(folder: Path, k: int) -> Path:
    """Where the clusters of this k lie."""
    return folder / f"k{k:05d}.h5"


def write_clusters(path: Path, fingerprint: str, arrays: Mapping[str, np.ndarray], info: dict[str, object]) -> None:
    """Write the arrays that the module's description names."""
    rows = len(arrays["speech/assignment"])
    write_shard(path, Header(KIND, rows, fingerprint, info), arrays)


class Modality:
    """The clusters of one modality; whole arrays per cluster, members read when asked for."""

    def __init__(self, shard: Shard, name: str) -> None:
        """`name` is `speech` or `image`."""
        self._shard, self.name = shard, name
        self.size: np.ndarray = shard[f"{name}/size"][:]
        self.variance: np.ndarray = shard[f"{name}/variance"][:]
        self._offset: np.ndarray = shard[f"{name}/offset"][:]

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def centroid(self) -> np.ndarray:
        """float32 (k, D): in the space of the embeddings of both modalities."""
        return self._shard[f"{self.name}/centroid"][:]

    @property
    def by_sound(self) -> bool:
        """Whether segments were clustered by how they sound."""
        return f"{self.name}/sound" in self._shard

    @cached_property
    def measured(self) -> np.ndarray:
        """float32 (k, C): the centroids that distances are measured to: of sounds, or the same as `centroid`."""
        return self._shard[f"{self.name}/sound"][:] if self.by_sound else self.centroid

    @cached_property
    def assignment(self) -> np.ndarray:
        """int32 (rows,): the cluster of every grounding."""
        return self._shard[f"{self.name}/assignment"][:]

    @cached_property
    def distance(self) -> np.ndarray:
        """float32 (rows,): squared distance of every grounding to its centroid."""
        return self._shard[f"{self.name}/distance"][:]

    def members(self, cluster: int, limit: int | None = None) -> np.ndarray:
        """int64: rows of the cluster's groundings from the centre outwards, the first `limit` of them."""
        start, stop = int(self._offset[cluster]), int(self._offset[cluster + 1])
        if limit is not None:
            stop = min(stop, start + limit)
        return self._shard[f"{self.name}/order"][start:stop]


class Clusters:
    """The clusters of one k, read lazily."""

    def __init__(self, path: Path) -> None:
        """Open; StoreError where the file is missing or damaged."""
        self.path = Path(path)
        if not self.path.exists():
            raise StoreError(f"{path}: no clusters here; make them with `avterm cluster`")
        self._shard = Shard(self.path, KIND)
        self.fingerprint = self._shard.header.fingerprint
        self.info = self._shard.header.info
        self.speech = Modality(self._shard, "speech")
        self.image = Modality(self._shard, "image")

    @property
    def noise(self) -> int | None:
        """The speech cluster of segments that are far from all others; None where there is none."""
        return len(self.speech) - 1 if self.info.get("noise") else None

    @cached_property
    def affinity(self) -> np.ndarray:
        """float64 (k_image, k_speech): Equation 2."""
        return self._shard["affinity"][:]

    @cached_property
    def image_of_speech(self) -> np.ndarray:
        """int64 (k_speech,): the image cluster with the highest affinity to each speech cluster."""
        return np.argmax(self.affinity, axis=0)

    @cached_property
    def speech_of_image(self) -> np.ndarray:
        """int64 (k_image,): the speech cluster with the highest affinity to each image cluster; never that of noise."""
        affinity = self.affinity
        if self.noise is not None:  # with so many members, its sums would be the highest anywhere
            affinity = affinity.copy()
            affinity[:, self.noise] = -np.inf
        return np.argmax(affinity, axis=1)
