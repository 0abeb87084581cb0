"""Inner products of stored rows, and their sums over pairs of clusters, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from avterm_kernels.affinity import add_by_clusters, row_products
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9), st.integers(0, 70), st.integers(0, 999), st.sampled_from([1e-7, 1.0, 200.0]))
def test_half_products_are_numpys(count: int, depth: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    left, right = ((rng.normal(size=(count, depth)) * scale).astype(np.float16) for _ in range(2))  # 1e-7: subnormal
    wide = left.astype(np.float64), right.astype(np.float64)
    bound = 1e-5 * (np.abs(wide[0]) * np.abs(wide[1])).sum(1) + 1e-30
    assert (np.abs(row_products(left, right) - (wide[0] * wide[1]).sum(1)) <= bound).all()
    single = row_products(left.astype(np.float32), right.astype(np.float32))
    assert (np.abs(single - (wide[0] * wide[1]).sum(1)) <= bound).all()


def test_every_float16_is_read_right() -> None:
    bits = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    values = bits.view(np.float16)[:, None]
    found = row_products(values, np.ones_like(values))
    np.testing.assert_array_equal(found, values[:, 0].astype(np.float32))  # infinities and NaN too


def test_sums_are_those_of_the_double_loop() -> None:
    rng = np.random.default_rng(0)
    products, a, b = rng.normal(size=40).astype(np.float32), rng.integers(0, 3, 40), rng.integers(0, 5, 40)
    total = np.zeros((3, 5))
    add_by_clusters(total, products, a, b)
    for i in range(3):
        for j in range(5):
            assert total[i, j] == pytest.approx(products[(a == i) & (b == j)].sum(dtype=np.float64))


def test_what_does_not_fit_is_refused() -> None:
    rows, labels = np.ones((3, 2), np.float32), np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="one shape"):
        row_products(rows, rows[:2])
    with pytest.raises(ValueError, match="float16 or float32"):
        row_products(rows, rows.astype(np.float64))
    with pytest.raises(ValueError, match="one length"):
        add_by_clusters(np.zeros((2, 2)), rows[:2, 0], labels, labels)
    with pytest.raises(ValueError, match="clusters from 0 to 1"):
        add_by_clusters(np.zeros((2, 2)), rows[:, 0], labels, labels + 2)
