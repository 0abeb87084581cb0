"""How much clusters of the two modalities belong together (Equation 2)."""

from __future__ import annotations

from functools import partial

import numpy as np
from avterm_kernels.affinity import add_by_clusters, row_products

from avterm.clustering.parts import Part, Stored, parts_of, rows_of
from avterm.clustering.source import BLOCK, Raw, Rows
from avterm.engine.ahead import ahead
from avterm.engine.mapping import HERE, UNHEARD, Engine, Report
from avterm.errors import BadInput

STRIP = 512  # rows of both sides, which stay in a core's own cache until they are multiplied; divides BLOCK


def affinity(
    image: Rows | Stored,
    speech: Rows | Stored,
    image_cluster: np.ndarray,
    speech_cluster: np.ndarray,
    image_k: int,
    speech_k: int,
    engine: Engine = HERE,
) -> np.ndarray:
    """Equation 2: float64 (image_k, speech_k), Affinity(I, A) = Σ over the groundings whose crop is in I and whose
    segment is in A of the inner product of the two embeddings.

    image, speech: (N, D) embeddings, float16 or float32, read block by block while others are multiplied;
    image_cluster, speech_cluster: int (N,). engine: where they are multiplied, with the same result; another than this
    process needs `Stored` rows. BadInput where the two sides have different shapes.
    """
    here = tuple(side.rows() if isinstance(side, Stored) else side for side in (image, speech))
    if tuple(here[0].shape) != tuple(here[1].shape):
        raise BadInput(f"expected as many crops as segments, of one depth; found {here[0].shape} and {here[1].shape}")
    total = np.zeros((image_k, speech_k), np.float64)
    parts = parts_of(int(here[0].shape[0]))
    apart = engine is not HERE and isinstance(image, Stored) and isinstance(speech, Stored)
    sides = (image, speech) if apart else here
    made = (engine if apart else HERE).map(partial(_products, *sides), parts, UNHEARD)
    for part, products in zip(parts, made, strict=True):
        rows = slice(part.first, part.stop)
        add_by_clusters(total, products, image_cluster[rows], speech_cluster[rows])
    return total


def _products(image: Rows | Stored, speech: Rows | Stored, part: Part, report: Report) -> np.ndarray:
    """float32 (rows of the part,): inner product of each crop with its segment."""
    sides = tuple(Raw(rows_of(side), STRIP) for side in (image, speech))
    out = np.empty(part.stop - part.first, np.float32)

    def multiplied(first: int) -> None:
        for start in range(first, min(first + BLOCK, part.stop), STRIP):
            blocks = [side.read(start) for side in sides]
            here = slice(start - part.first, start - part.first + len(blocks[0]))
            alike = blocks[0].dtype == blocks[1].dtype
            out[here] = row_products(*(block if alike else block.astype(np.float32) for block in blocks))
            for side, block in zip(sides, blocks, strict=True):
                side.done(block)

    for _ in ahead(multiplied, part.firsts):
        pass
    return out
