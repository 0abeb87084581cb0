"""How much clusters of the two modalities belong together (Equation 2)."""

from __future__ import annotations

import numpy as np
from avterm_kernels.affinity import add_by_clusters, row_products

from avterm.clustering.source import BLOCK, Raw, Rows
from avterm.engine.ahead import ahead
from avterm.errors import BadInput


def affinity(
    image: Rows, speech: Rows, image_cluster: np.ndarray, speech_cluster: np.ndarray, image_k: int, speech_k: int
) -> np.ndarray:
    """Equation 2: float64 (image_k, speech_k), Affinity(I, A) = Σ over the groundings whose crop is in I and whose
    segment is in A of the inner product of the two embeddings.

    image, speech: (N, D) embeddings, float16 or float32, read block by block while others are multiplied;
    image_cluster, speech_cluster: int (N,). BadInput where the two sides have different shapes.
    """
    if tuple(image.shape) != tuple(speech.shape):
        raise BadInput(f"expected as many crops as segments, of one depth; found {image.shape} and {speech.shape}")
    total = np.zeros((image_k, speech_k), np.float64)
    sides = Raw(image), Raw(speech)

    def multiplied(first: int) -> np.ndarray:
        blocks = [side.read(first) for side in sides]
        if len({block.dtype for block in blocks}) > 1:
            products = row_products(*(block.astype(np.float32) for block in blocks))
        else:
            products = row_products(*blocks)
        for side, block in zip(sides, blocks, strict=True):
            side.done(block)
        return products

    for first, products in ahead(multiplied, range(0, int(speech.shape[0]), BLOCK)):
        rows = slice(first, first + len(products))
        add_by_clusters(total, products, image_cluster[rows], speech_cluster[rows])
    return total
