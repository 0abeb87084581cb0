"""Work made ahead keeps its order, its bound, and its errors."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from avterm.engine.ahead import ahead


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("workers", [1, 4])
def test_order(count: int, workers: int) -> None:
    def slow_first(i: int) -> int:
        time.sleep(0.002 * (i % 3 == 0))
        return i * i

    assert list(ahead(slow_first, range(count), workers)) == [(i, i * i) for i in range(count)]


def test_no_more_is_made_than_asked() -> None:
    made, lock = [0], threading.Lock()

    def count(i: int) -> int:
        with lock:
            made[0] += 1
        return i

    for taken, _ in ahead(count, range(40), workers=3, spare=2):
        time.sleep(0.001)
        assert made[0] <= taken + 1 + 3 + 2


def test_an_error_comes_at_its_turn_and_ends_the_work() -> None:
    begun = []

    def fail(i: int) -> int:
        begun.append(i)
        if i == 3:
            raise ValueError("three")
        return i

    work = ahead(fail, range(1000), workers=2)
    assert [next(work)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(work)
    assert len(begun) < 20


def test_threads_compute_alone_and_the_rest_as_before() -> None:
    before = torch.get_num_threads()
    inside = {n for _, n in ahead(lambda _: torch.get_num_threads(), range(20), workers=2)}
    assert inside == {1}
    assert torch.get_num_threads() == before
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [before]


def test_the_vector_library_is_settled_before_threads_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first call, if two threads made it at once, gave other last bits in 5 of 800 processes."""
    by, log = [], torch.log

    def noted(values: torch.Tensor) -> torch.Tensor:
        by.append(threading.current_thread())
        return log(values)

    monkeypatch.setattr(torch, "log", noted)
    list(ahead(lambda i: torch.log(torch.ones(i)), range(4), workers=2))
    assert by[0] is threading.current_thread()
    assert len(set(by[1:]) - {by[0]}) >= 1
