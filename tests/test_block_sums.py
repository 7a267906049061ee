"""The block-mean kernel against its plain twin."""

from __future__ import annotations

import numpy as np
import pytest

from mcdetect.kernels.block_sums import block_means


def plain(image: np.ndarray, run_rows: int, run_cols: int) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = image.shape[0] // run_rows, image.shape[1] // run_cols
    down = image[: rows * run_rows].reshape(rows, run_rows, -1).mean(axis=1)
    across = image[:, : cols * run_cols].reshape(image.shape[0], cols, run_cols).mean(axis=2)
    return down, across


@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (64, 48), (131, 97)])
@pytest.mark.parametrize("runs", [(1, 1), (5, 3), (16, 20)])
@pytest.mark.parametrize("contiguous", [True, False])
def test_equals_numpy(shape: tuple[int, int], runs: tuple[int, int], contiguous: bool) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(1000.0, 100.0, (shape[0] + 4, shape[1] + 3)).astype(np.float32)
    image = image[2:-2, 1:-2]
    if contiguous:
        image = np.ascontiguousarray(image)
    run_rows, run_cols = min(runs[0], shape[0]), min(runs[1], shape[1])
    for got, expected in zip(
        block_means(image, run_rows, run_cols),
        plain(image.astype(np.float64), run_rows, run_cols),
        strict=True,
    ):
        assert got.dtype == np.float32
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-5)
