"""Engines that are started once for all tests that need them."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from avterm.engine.local import Processes
from avterm.engine.ray import RayCluster


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """Two processes of this machine."""
    engine = Processes(2)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    """A Ray instance of two processors, started here."""
    try:
        module = importlib.import_module("ray")
    except ImportError:
        pytest.skip("Ray is not installed: pip install 'avterm[ray]'")
    _start(module)
    yield module
    module.shutdown()


def _start(module: Any, tries: int = 3) -> None:
    """Ray gives its own start 30 s, which a busy machine may exceed: then again."""
    for left in reversed(range(tries)):
        try:
            module.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            return
        except Exception as error:
            module.shutdown()
            if not left or "timed out" not in str(error):
                raise


@pytest.fixture(scope="session")
def cluster(ray: Any) -> RayCluster:
    """An engine on that instance."""
    return RayCluster()
