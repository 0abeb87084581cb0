"""Both roads equal what they stand for, proposal by proposal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from avterm.config import GroundingConfig, ModelConfig
from avterm.grounding.proposals import box_proposals, segment_proposals
from avterm.grounding.roads import ExactRoad, SharedRoad, Source
from avterm.model.pair import PairModel
from avterm.vision.crops import crops

DEPTH, CHANNELS = 6, 5
SMALL = ModelConfig(width=0.05, embedding=DEPTH)


class FakeBackbone:
    """A backbone whose cells are means of 8 × 8 pixels; its vector doubles their mean, as a layer after it might."""

    at_once = 3

    def __init__(self) -> None:
        self.mix = torch.randn(3, CHANNELS, generator=torch.Generator().manual_seed(1))

    def map(self, pixels: np.ndarray) -> Tensor:
        count, side = pixels.shape[:2]
        cells = torch.from_numpy(pixels).float().reshape(count, side // 8, 8, side // 8, 8, 3).mean((2, 4))
        return cells / 255 @ self.mix

    def vector(self, pixels: np.ndarray) -> Tensor:
        return 2 * self.map(pixels).mean((1, 2))

    def pooled(self, features: Tensor, boxes: Tensor) -> Tensor:
        return torch.stack([boxes[:, 0].float() * (c + 1) for c in range(CHANNELS)], 1)


def model(**changes: object) -> PairModel:
    torch.manual_seed(0)
    made = PairModel(dataclasses.replace(SMALL, **changes), CHANNELS).eval()
    made.set_mel_statistics(np.full(40, 0.3), np.ones(40))
    return made


def source(frames: int = 203, seed: int = 0) -> Source:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (90, 120, 3)).astype(np.uint8)
    return Source(rng.normal(size=(frames, 40)).astype(np.float32), None, picture)


@torch.inference_mode()
@pytest.mark.parametrize("similarity", ["mean", "misa"])
def test_exact_segments_are_embedded_alone(similarity: str) -> None:
    net, given = model(similarity=similarity), source()
    segments = segment_proposals(len(given.mel), GroundingConfig())
    road = ExactRoad(net, FakeBackbone(), 32, cells=True)  # type: ignore[arg-type]
    found = road.segments(road.frames([given.mel])[0], segments)
    for row, (a, b) in zip(found, segments.tolist(), strict=True):
        alone = net.embed_speech(torch.from_numpy(given.mel[a:b])[None], torch.tensor([b - a]))[0]
        torch.testing.assert_close(row, alone, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("cells", [True, False])
def test_exact_boxes_are_cropped_and_embedded_alone(cells: bool) -> None:
    net, given, backbone = model(), source(), FakeBackbone()
    boxes = box_proposals(120, 90, GroundingConfig(min_side=0.7)) / 10
    found = ExactRoad(net, backbone, 32, cells).boxes(given, boxes)  # type: ignore[arg-type]
    assert len(found) == len(boxes) > 3
    for row, box in zip(found, boxes, strict=True):
        cut = crops(given.picture, [box * [120, 90, 120, 90]], 32)
        alone = net.embed_image(backbone.map(cut) if cells else backbone.vector(cut))[0]
        torch.testing.assert_close(row, alone, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("similarity", ["mean", "misa"])
def test_shared_segments_are_means_of_output_frames(similarity: str) -> None:
    net, given = model(similarity=similarity), source()
    segments = np.concatenate([segment_proposals(203, GroundingConfig()), [[0, 203], [3, 9], [198, 203]]])
    road = SharedRoad(net, None, 32, linear=True)
    frames = road.frames([given.mel])[0]
    whole = net.speech_frames(torch.from_numpy(given.mel)[None], torch.tensor([203]))[0]
    torch.testing.assert_close(frames.output, whole[: len(frames.output)], atol=1e-5, rtol=1e-4)
    fine = frames.output.repeat_interleave(net.stride, 0)  # one row a mel frame
    expected = torch.stack([net.finish_speech(fine[a:b].mean(0, keepdim=True))[0] for a, b in segments.tolist()])
    torch.testing.assert_close(road.segments(frames, segments), expected, atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_captions_in_a_batch_give_what_they_give_alone() -> None:
    road, mels = SharedRoad(model(), None, 32, linear=True), [source(n, n).mel for n in (50, 203, 97)]
    for together, mel in zip(road.frames(mels), mels, strict=True):
        alone = road.frames([mel])[0]
        torch.testing.assert_close(together.output, alone.output, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(together.sound, alone.sound, atol=1e-5, rtol=1e-4)
        assert len(together.output) == len(together.sound) == -(-len(mel) // road.model.stride)


@torch.inference_mode()
@pytest.mark.parametrize("similarity", ["mean", "misa"])
def test_the_whole_picture_and_caption_are_the_same_on_both_roads(similarity: str) -> None:
    net, backbone = model(similarity=similarity, normalise_image=True), FakeBackbone()
    given = source(frames=200)  # a multiple of the stride, so that no output frame hangs over
    exact = ExactRoad(net, backbone, 32, cells=True)  # type: ignore[arg-type]
    shared = SharedRoad(net, backbone, 32, linear=True)  # type: ignore[arg-type]
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)  # needs no resizing
    given = dataclasses.replace(given, picture=picture)
    everything, all_frames = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[0, 200]])
    for one, other in [
        (exact.boxes(given, everything), shared.boxes(given, everything)),
        (
            exact.segments(exact.frames([given.mel])[0], all_frames),
            shared.segments(shared.frames([given.mel])[0], all_frames),
        ),
    ]:
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_projecting_cells_first_is_pooling_first() -> None:
    net, backbone, given = model(), FakeBackbone(), source()
    boxes = box_proposals(120, 90, GroundingConfig()) / 10
    features = backbone.map(np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3)).astype(np.uint8))[0]
    given = dataclasses.replace(given, map=features.numpy(), picture=None)
    found = SharedRoad(net, None, 40, linear=True).boxes(given, boxes)
    for row, (x0, y0, x1, y1) in zip(found, boxes * 5, strict=True):
        share = (
            [max(0, min(c + 1, x1) - max(c, x0)) for c in range(5)],
            [max(0, min(r + 1, y1) - max(r, y0)) for r in range(5)],
        )
        weights = torch.tensor(np.outer(share[1], share[0]), dtype=torch.float32)
        mean = (features * weights[..., None]).sum((0, 1)) / weights.sum()
        torch.testing.assert_close(row, net.project(mean), atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_layers_after_the_map_follow_the_pooling() -> None:
    net, backbone, given = model(), FakeBackbone(), source()
    boxes = np.array([[0.1, 0.0, 0.5, 0.5], [0.3, 0.2, 0.9, 0.7]])
    found = SharedRoad(net, backbone, 32, linear=False).boxes(given, boxes)  # type: ignore[arg-type]
    expected = net.project(torch.tensor([[0.1 * (c + 1) for c in range(5)], [0.3 * (c + 1) for c in range(5)]]))
    torch.testing.assert_close(found, expected)


def test_a_road_without_what_it_needs_says_so() -> None:
    net, blind = model(), dataclasses.replace(source(), picture=None)
    with pytest.raises(ValueError, match="needs the picture"):
        ExactRoad(net, FakeBackbone(), 32, cells=True).boxes(blind, np.zeros((1, 4)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs the picture's map"):
        SharedRoad(net, None, 32, linear=True).boxes(source(), np.zeros((1, 4)))
    seen = dataclasses.replace(blind, map=np.zeros((2, 2, CHANNELS), np.float32))
    with pytest.raises(ValueError, match="must be loaded"):
        SharedRoad(net, None, 32, linear=False).boxes(seen, np.zeros((1, 4)))
