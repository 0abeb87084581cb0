"""How much clusters of the two modalities belong together (Equation 2)."""

from __future__ import annotations

import numpy as np

from avterm.clustering.kmeans import Rows

BLOCK = 16_384


def affinity(
    image: Rows, speech: Rows, image_cluster: np.ndarray, speech_cluster: np.ndarray, image_k: int, speech_k: int
) -> np.ndarray:
    """Equation 2: float64 (image_k, speech_k), Affinity(I, A) = Σ over the groundings whose crop is in I and whose
    segment is in A of the inner product of the two embeddings.

    image, speech: (N, D) embeddings, read block by block; image_cluster, speech_cluster: int (N,).
    """
    total = np.zeros(image_k * speech_k, np.float64)
    place = image_cluster.astype(np.int64) * speech_k + speech_cluster
    for first in range(0, int(speech.shape[0]), BLOCK):
        part = slice(first, first + BLOCK)
        products = np.einsum("nd,nd->n", np.asarray(image[part], np.float32), np.asarray(speech[part], np.float32))
        total += np.bincount(place[part], products, image_k * speech_k)
    return total.reshape(image_k, speech_k)
