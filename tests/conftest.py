"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"


@pytest.fixture
def corpora() -> Path:
    """The real corpora beside the project; the test skips, saying so, where they are absent."""
    if not CORPORA.is_dir():
        pytest.skip(f"the real corpora are not at {CORPORA}")
    return CORPORA
