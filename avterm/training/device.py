"""Which device and which precision training uses, chosen by what is there."""

from __future__ import annotations

import torch

from avterm.errors import ConfigError, UsageError
from avterm.training.world import World


def choose_device(name: str = "auto", world: World | None = None) -> torch.device:
    """`auto` is the first CUDA device if there is one, else the CPU. UsageError where the device is not there.

    Under torchrun (`world`; by default as the environment says) every process of a machine takes a CUDA device of its
    own.
    """
    world = world or World.from_environment()
    if world.size > 1 and name in {"auto", "cuda"} and torch.cuda.is_available():
        if world.local_size > torch.cuda.device_count():
            raise UsageError(
                f"{world.local_size} processes on a machine with {torch.cuda.device_count()} CUDA devices; "
                "start as many as there are devices, or give --device cpu"
            )
        return torch.device("cuda", world.local_rank)
    if world.size > 1 and name.startswith("cuda:"):
        raise UsageError(f"--device {name}: under torchrun each process takes its own device; give auto, cuda or cpu")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name}: expected auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: this machine has no CUDA device that torch can use")
    return device


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16 under autocast.

    `auto`: on CUDA devices that have it, and on processors with AMX tiles. AVX512-BF16 alone does not pay: the
    convolutions' backward pass is slower in it than in float32 (docs/performance.md).
    """
    if precision not in {"auto", "float32", "bf16"}:
        raise ConfigError(f"training.precision: expected auto, float32 or bf16, found {precision!r}")
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_amx_tile_supported())
