"""A whole pair on the shared road, against the exact one: 657 boxes of a 500 x 375 picture, 573 segments.

The exact road on VGG-16 takes minutes a pair, so it is timed on a sample of crops and of segments, spread over all
shapes and lengths, and scaled up. Both roads have every core: the shared one at a pair a core, as grounding runs it.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from avterm.config import GroundingConfig, ModelConfig
from avterm.engine.ahead import ahead, workers_here
from avterm.grounding.proposals import box_proposals, segment_proposals, silence_shares
from avterm.grounding.roads import ExactRoad, Road, SharedRoad, Source
from avterm.grounding.selection import score_segments, select_best
from avterm.model.pair import PairModel
from avterm.vision.backbones import load_backbone
from tests.benchmarks.rows import Row

CONFIG = GroundingConfig()
WIDTH, HEIGHT, FRAMES, PIXELS = 500, 375, 1024, 224


def rows() -> list[Row]:
    """Thirty times as fast on VGG-16, fifty on EfficientNet-lite0; random weights serve for timing."""
    return [measure("vgg16", 30.0, crops=32, rounds=1), measure("efficientnet-lite0", 50.0, crops=128, rounds=4)]


@torch.inference_mode()
def measure(name: str, limit: float, crops: int, rounds: int) -> Row:
    """The paper's speech branch at full width, with this backbone."""
    backbone = load_backbone(name, "random")
    model = PairModel(ModelConfig(), backbone.vector_size).eval()
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    source = Source(rng.normal(size=(FRAMES, 40)).astype(np.float32), None, picture)
    boxes, segments = box_proposals(WIDTH, HEIGHT, CONFIG) / 10, segment_proposals(FRAMES, CONFIG)
    some_boxes = boxes[np.linspace(0, len(boxes) - 1, crops).astype(int)]
    some_segments = segments[:: max(len(segments) // 96, 1)]
    exact = ExactRoad(model, backbone, PIXELS, cells=False)
    shared = SharedRoad(model, backbone, PIXELS, linear=name != "vgg16")

    def whole(road: Road) -> int:
        speech = road.segments(road.frames([source.mel])[0], segments)
        box, score = score_segments(speech, road.boxes(source, boxes))
        silence = silence_shares(np.ones(FRAMES, np.uint8), segments)
        return len(select_best(box, score, segments, silence, CONFIG).segment)

    exact.boxes(source, some_boxes[:4])  # compiles, and fills caches
    whole(shared)
    begin = time.perf_counter()
    exact.boxes(source, some_boxes)
    pictures = (time.perf_counter() - begin) * len(boxes) / len(some_boxes)
    begin = time.perf_counter()
    exact.segments(exact.frames([source.mel])[0], some_segments)
    sounds = (time.perf_counter() - begin) * len(segments) / len(some_segments)
    pairs = workers_here() * rounds
    begin = time.perf_counter()
    for _ in ahead(torch.inference_mode()(lambda _: whole(shared)), range(pairs)):
        pass
    ours = (time.perf_counter() - begin) / pairs
    theirs = pictures + sounds
    note = f"exact timed on {crops} crops ({pictures:.1f} s of it) and {len(some_segments)} segments, scaled"
    return Row(f"shared road, whole pair, {name}", "exact road", ours, theirs, theirs / ours, limit, True, note)
