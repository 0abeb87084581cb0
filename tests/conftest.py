"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run one a core; threads within them would only wait

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"


@pytest.fixture
def corpora() -> Path:
    """The real corpora beside the project; the test skips, saying so, where they are absent."""
    if not CORPORA.is_dir():
        pytest.skip(f"the real corpora are not at {CORPORA}")
    return CORPORA
