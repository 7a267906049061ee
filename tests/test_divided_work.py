"""No result depends on the number of threads, nor on how the work is divided among them."""

from __future__ import annotations

import importlib
import pkgutil

import cv2
import numpy as np
import pandas as pd
import pytest

import mcdetect.kernels
from mcdetect.kernels import threads
from mcdetect.phantom import Group, Scatter, draw_mammogram
from mcdetect.pipeline import detect

MODULES = [
    importlib.import_module(f"mcdetect.kernels.{item.name}")
    for item in pkgutil.iter_modules(mcdetect.kernels.__path__)
]
LEAST = [(module, name) for module in MODULES for name in vars(module) if name.startswith("_LEAST")]
"""Constants that tell how much work is worth a thread."""


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    groups = [Group(n=8, extent_mm=7.0), Group(n=12, extent_mm=9.0)]
    return draw_mammogram((700, 520), 0.1, seed=11, groups=groups, scatter=Scatter(n=12)).pixels


def tables(image: np.ndarray) -> list[pd.DataFrame]:
    result = detect(image, pixel_spacing_mm=0.1)
    assert len(result.candidates) > 100
    assert len(result.calcifications) > 5
    return [result.candidates, result.calcifications, result.clusters]


@pytest.fixture(scope="module")
def alone(image: np.ndarray) -> list[pd.DataFrame]:
    """What one thread finds, with all work in one piece."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "thread_count", lambda: 1)
        return tables(image)


@pytest.mark.parametrize(("number", "pieces", "least"), [(2, 4, None), (2, 1, 1), (3, 7, 1), (5, 4, 3)])
def test_the_division_of_work_changes_nothing(
    number: int,
    pieces: int,
    least: int | None,
    image: np.ndarray,
    alone: list[pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: number)
    monkeypatch.setattr(threads, "_PARTS_PER_THREAD", pieces)
    for module, name in LEAST if least is not None else ():
        if isinstance(getattr(module, name), int):
            monkeypatch.setattr(module, name, least)
    for one, several in zip(alone, tables(image), strict=True):
        pd.testing.assert_frame_equal(one, several, check_exact=True)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_the_threads_of_opencv_change_nothing(
    number: int, image: np.ndarray, alone: list[pd.DataFrame]
) -> None:
    usual = cv2.getNumThreads()
    try:
        cv2.setNumThreads(number)
        found = tables(image)
    finally:
        cv2.setNumThreads(usual)
    for one, several in zip(alone, found, strict=True):
        pd.testing.assert_frame_equal(one, several, check_exact=True)


def test_there_is_work_to_divide() -> None:
    assert len(LEAST) >= 4
