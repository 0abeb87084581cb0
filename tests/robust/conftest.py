"""One warm process for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.robust.warm import Warm, warmed


@pytest.fixture(scope="module")
def avterm() -> Iterator[Warm]:
    """Runs a command in a fork of a process that has imported everything."""
    with warmed() as process:
        yield process
