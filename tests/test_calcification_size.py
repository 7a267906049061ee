"""Size behind blur: grains of known size, alone and through the whole detector."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.measurement import size_accuracy
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.reaches import RAYS, free_reach
from mcdetect.phantom import draw_calcification
from mcdetect.shapes.outlines import measure_shapes


def test_the_way_to_a_neighbour_ends_at_the_saddle():
    rows, cols = np.indices((101, 101))
    window = np.exp(-((rows - 50) ** 2 + (cols - 50) ** 2) / 50) + np.exp(
        -((rows - 50) ** 2 + (cols - 78) ** 2) / 50
    )
    label = (window > 0.5).astype(np.int8) * (cols < 60)
    label[(window > 0.5) & (cols > 60)] = 2
    free = np.empty(RAYS)
    free_reach(window.astype(np.float32), label.astype(np.int8), 0.5, 0.1, 50.0, free)
    assert free[0] == pytest.approx(14, abs=1.5)  # half way
    assert np.all(free[RAYS // 4 : 3 * RAYS // 4] == 50.0)


# --- drawn truth -----------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing_mm", [0.05, 0.07, 0.1])
@pytest.mark.parametrize("diameter", [0.15, 0.2, 0.25, 0.4, 0.7])
def test_diameter_of_clean_grains(spacing_mm, diameter):
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        stamp = draw_calcification(
            diameter, spacing_mm, irregularity=0.3, offset_px=tuple(rng.uniform(-0.5, 0.5, 2)), rng=rng
        )
        image = np.pad(20 * stamp.values, 20)
        row, col = (0.5 * n - 0.5 + off for n, off in zip(image.shape, stamp.offset_px, strict=True))
        scale = math.hypot(diameter / 2 / math.sqrt(2.5), 0.05)
        shape = measure_shapes(image, [row], [col], PixelSpacing(spacing_mm, spacing_mm), scale_mm=scale)
        found.append(shape.diameter_mm[0])
        volume = 20 * stamp.values.sum() * spacing_mm**2
        assert shape.integrated_contrast_mm2[0] == pytest.approx(volume, rel=0.2)
    assert abs(np.mean(found) / diameter - 1) < (0.1 if diameter >= 0.2 else 0.2)


@pytest.mark.parametrize("slope", [(0.0, 0.0), (40.0, -25.0), (0.0, 300.0)])
def test_a_sloping_background_does_not_change_the_size(slope):
    spacing = PixelSpacing(0.07, 0.05)
    stamp = draw_calcification(
        0.35, (spacing.row_mm, spacing.col_mm), irregularity=0.3, rng=np.random.default_rng(1)
    )
    tophat = np.pad(20 * stamp.values, 20)
    rows, cols = np.indices(tophat.shape)
    pixels = tophat + (slope[0] * rows * spacing.row_mm + slope[1] * cols * spacing.col_mm)
    middle = [[0.5 * n - 0.5] for n in tophat.shape]
    alone = measure_shapes(tophat, *middle, spacing, scale_mm=0.12)
    tilted = measure_shapes(tophat, *middle, spacing, scale_mm=0.12, pixels=pixels.astype(np.float32))
    assert tilted.diameter_mm[0] == pytest.approx(alone.diameter_mm[0], rel=0.01)
    volume = alone.integrated_contrast_mm2[0]
    assert tilted.integrated_contrast_mm2[0] == pytest.approx(volume, rel=0.03)


def test_sizes_come_from_the_pixels_and_outlines_from_the_top_hat():
    spacing = PixelSpacing(0.05, 0.05)
    small, large = (
        np.pad(20 * stamp.values, [(60 - n // 2, 60 - n // 2) for n in stamp.values.shape])
        for stamp in (
            draw_calcification(d, 0.05, irregularity=0.0, elongation=1.0, rng=np.random.default_rng(0))
            for d in (0.3, 0.36)
        )
    )
    found = measure_shapes(small, [60], [60], spacing, scale_mm=0.12, pixels=large)
    alone = measure_shapes(small, [60], [60], spacing, scale_mm=0.12)
    assert found.diameter_mm[0] > 1.1 * alone.diameter_mm[0]
    assert found.contrast[0] == alone.contrast[0]
    with pytest.raises(ValueError, match="pixels"):
        measure_shapes(small, [60], [60], spacing, pixels=large[1:])
    with pytest.raises(ValueError, match="pixels"):
        measure_shapes(small, [60], [60], spacing, pixels=large.astype(np.float64))


# --- accuracy through the whole detector ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False], ids=["equal", "varied"])
@pytest.mark.parametrize("diameter", [0.25, 0.35, 0.5, 0.7])
def test_size_through_the_whole_detector(diameter, same):
    shape = {"irregularity": 0.3, "elongation": 1.2} if same else {"irregularity": 0.6, "elongation": 1.5}
    rows = size_accuracy.measured(diameter, 8, 0.07, sites=100, same=same, **shape)
    found = size_accuracy.summary(rows, diameter)
    assert found["measured"] > 0.95
    assert abs(found["bias"]) < 0.10
    assert found["area_cv"] < 0.20


@pytest.mark.slow
@pytest.mark.parametrize(("diameter", "snr"), [(0.15, 16), (0.5, 16)])
def test_size_of_small_and_of_clear_ones(diameter, snr):
    found = size_accuracy.summary(size_accuracy.measured(diameter, snr, 0.07, sites=100, same=True), diameter)
    assert abs(found["bias"]) < (0.25 if diameter < 0.25 else 0.10)
    assert found["area_cv"] < (0.25 if diameter < 0.25 else 0.20)
