"""Scoring and selection of one pair, embeddings given, against the plain matrix product of the same embeddings."""

from __future__ import annotations

import numpy as np
import torch

from avterm.config import GroundingConfig
from avterm.grounding.proposals import box_proposals, segment_proposals, silence_shares
from avterm.grounding.selection import score_segments, select_best
from tests.benchmarks.rows import Row, best_time

CONFIG = GroundingConfig()


def rows() -> list[Row]:
    """At most half as long again, for the paper's embeddings and for small ones, where the product is cheaper."""
    return [measure(depth) for depth in (1024, 256)]


@torch.inference_mode()
def measure(depth: int) -> Row:
    """One pair: a square picture and a caption of 1,024 frames. One thread, as grounding gives each pair."""
    generator = torch.Generator().manual_seed(0)
    segments, boxes = segment_proposals(1024, CONFIG), box_proposals(224, 224, CONFIG)
    speech = torch.randn(len(segments), depth, generator=generator)
    image = torch.randn(len(boxes), depth, generator=generator)
    silence = silence_shares(np.ones(1024, np.uint8), segments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # Taken in turns, so that whatever else the machine does falls on both.
        pairs = [
            (
                best_time(lambda: select_best(*score_segments(speech, image), segments, silence, CONFIG), 10),
                best_time(lambda: speech @ image.T, 10),
            )
            for _ in range(5)
        ]
    finally:
        torch.set_num_threads(threads)
    ours, theirs = (min(times) for times in zip(*pairs, strict=True))
    what = f"scoring and selection of one pair, {depth} values"
    return Row(what, "plain matrix product", ours, theirs, ours / theirs, 1.5, False, f"{len(segments)} x {len(boxes)}")
