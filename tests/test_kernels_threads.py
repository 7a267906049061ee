"""The work of kernels is shared among threads, safely on every threading layer of numba."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numba
import numpy as np
import pytest

from mcdetect.kernels import threads
from mcdetect.kernels.threads import in_parts, thread_count

DETECT = """
import threading
import numpy as np
from mcdetect.pipeline import detect

rng = np.random.default_rng(0)
row, col = np.mgrid[:512, :384]
breast = (row - 256.0) ** 2 + (0.9 * col) ** 2 < 230.0**2
image = (rng.normal(100.0, 10.0, breast.shape) + 1000.0 * breast).astype(np.float32)
image[200:300:20, 100:200:20] += 500.0
found = []
start = threading.Barrier(4)

def work():
    start.wait()
    for _ in range(3):
        found.append(detect(image, pixel_spacing_mm=0.1).candidates)

several = [threading.Thread(target=work) for _ in range(4)]
for thread in several:
    thread.start()
for thread in several:
    thread.join()
assert len(found[0]) > 0
assert all(table.equals(found[0]) for table in found)
print(len(found))
"""


@pytest.mark.parametrize("layer", ["workqueue", "default", "tbb"])
def test_images_are_searched_in_several_threads_on_every_layer(layer: str) -> None:
    """One that numba lacks is no hindrance."""
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", DETECT], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "12\n"), done.stderr


def test_work_may_have_some_of_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    visited = np.zeros(9, np.int64)

    def visit(out: np.ndarray, first: int, last: int) -> None:
        out[first:last] += 1

    in_parts(partial(visit, visited), 9)
    assert visited.tolist() == [1] * 9


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 64, 1001])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_every_item_is_visited_once(count: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: number)
    visited = np.zeros(count, np.int64)

    def work(first: int, last: int) -> None:
        assert 0 <= first <= last <= count
        visited[first:last] += 1

    in_parts(work, count)
    assert (visited == 1).all()


def test_few_items_stay_in_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 4)
    calls: list[tuple[int, int, int]] = []
    in_parts(lambda first, last: calls.append((first, last, threading.get_ident())), 63, least=32)
    assert calls == [(0, 63, threading.get_ident())]


def test_several_threads_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    both = threading.Barrier(2, timeout=300)
    seen: set[int] = set()
    together = False

    def work(first: int, last: int) -> None:
        if together and threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            both.wait()  # goes on only when another thread works at the same time

    in_parts(work, 8)
    together = True
    in_parts(work, 8)
    assert len(seen) == 2


def test_kernels_are_compiled_in_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    threads._pool.cache_clear()
    calls: list[int] = []

    def work(first: int, last: int) -> None:
        if first == 0:
            assert threading.current_thread() is threading.main_thread()
            assert threads._pool.cache_info().currsize == 0, "others were started before it was done"
        calls.append(threading.get_ident())

    in_parts(work, 8)
    assert len(calls) == 8
    assert threads._pool.cache_info().currsize == 1


def test_many_callers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 3)

    def total(size: int) -> int:
        parts: list[int] = []
        in_parts(lambda first, last: parts.append(sum(range(first, last))), size)
        return sum(parts)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(total, range(300))) == [sum(range(size)) for size in range(300)]


@pytest.mark.parametrize("number", [1, 3])
def test_what_goes_wrong_in_a_part_is_raised(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: number)

    def work(first: int, last: int) -> None:
        if first <= 70 < last:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parts(work, 100)


def test_numba_says_how_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert thread_count() == 1
    finally:
        numba.set_num_threads(usual)

    def missing() -> int:
        raise ValueError("No threading layer could be loaded.")

    monkeypatch.setattr(numba, "get_num_threads", missing)
    assert thread_count() == numba.config.NUMBA_NUM_THREADS
