"""Inserted calcifications have the position, contrast and signal-to-noise ratio that the table states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mcdetect.phantom import CalcificationSpec, draw_calcification, insert_calcifications, random_specs
from mcdetect.phantom.insertion import TRUTH_COLUMNS

SPACING = (0.07, 0.09)


@pytest.fixture(scope="module")
def background():
    rng = np.random.default_rng(0)
    return (1000 + gaussian_filter(rng.normal(0, 60, (700, 600)), 0.8)).astype(np.float32)


def grid_of_sites(shape, step, rng):
    rows, cols = np.meshgrid(np.arange(60, shape[0] - 60, step), np.arange(60, shape[1] - 60, step))
    sites = np.stack([rows.ravel(), cols.ravel()], axis=1).astype(float)
    return sites + rng.uniform(-0.5, 0.5, sites.shape)


def test_snr_is_the_matched_band_pass_response(background):
    """Measured independently with SciPy, by the definition in the module."""
    rng = np.random.default_rng(1)
    spec = [CalcificationSpec(350.3, 300.7, 0.3, snr=12.0, irregularity=0.4)]
    out, truth = insert_calcifications(background, SPACING, spec, rng=rng, blur=0.05)
    stamp = draw_calcification(
        0.3,
        SPACING,
        irregularity=0.4,
        offset_px=(0.3, -0.3),
        blur=0.05,
        rng=np.random.default_rng(1),
    )
    sigma = [stamp.second_moment_mm / pitch for pitch in SPACING]

    def response(image):
        wide = [2 * s for s in sigma]
        narrow = gaussian_filter(image.astype(float), sigma, truncate=6)
        return narrow - gaussian_filter(image.astype(float), wide, truncate=6)

    before = response(background)
    row, col = np.indices(background.shape)
    near = ((row - 350.3) * SPACING[0]) ** 2 + ((col - 300.7) * SPACING[1]) ** 2 <= 9.0
    spread = 1.4826 * np.median(np.abs(before[near] - np.median(before[near])))
    assert response(out - background).max() / spread == pytest.approx(12.0, rel=0.02)
    assert (out - background).max() == pytest.approx(truth["peak_contrast"][0], rel=1e-4)


def test_positions_are_sub_pixel(background):
    rng = np.random.default_rng(2)
    specs = random_specs(grid_of_sites(background.shape, 70, rng), rng, snr=(5, 30))
    out, truth = insert_calcifications(background, SPACING, specs, rng=rng)
    assert len(truth) > 40
    added = out - background
    for row, col in zip(truth["row_px"], truth["col_px"], strict=True):
        i, j = round(row), round(col)
        patch = added[i - 15 : i + 16, j - 15 : j + 16].astype(float)
        at = np.arange(-15, 16)
        assert i + (patch.sum(1) * at).sum() / patch.sum() == pytest.approx(row, abs=0.1)
        assert j + (patch.sum(0) * at).sum() / patch.sum() == pytest.approx(col, abs=0.1)


def test_truth_table_has_its_columns(background):
    rng = np.random.default_rng(3)
    specs = random_specs([[100, 100], [200, 250]], rng, group_id=4, kind="round")
    _, truth = insert_calcifications(background, SPACING, specs, rng=rng)
    assert {name: str(dtype) for name, dtype in truth.dtypes.items()} == TRUTH_COLUMNS
    np.testing.assert_allclose(truth["snr"], [spec.snr for spec in specs])
    assert (truth["group_id"] == 4).all()
    _, empty = insert_calcifications(background, SPACING, [], rng=rng)
    assert len(empty) == 0
    assert {name: str(dtype) for name, dtype in empty.dtypes.items()} == TRUTH_COLUMNS


def test_contrast_given_is_contrast_drawn(background):
    spec = [CalcificationSpec(200, 200, 0.4, contrast=150.0)]
    out, truth = insert_calcifications(background, SPACING, spec, rng=np.random.default_rng(0))
    assert (out - background).max() == pytest.approx(150.0, rel=1e-4)
    assert truth["snr"][0] > 1


def test_snr_does_not_depend_on_gain_and_offset(background):
    specs = random_specs([[300, 300]], np.random.default_rng(4))
    _, first = insert_calcifications(background, SPACING, specs, rng=np.random.default_rng(5))
    scaled = 3 * background - 2000
    _, second = insert_calcifications(scaled, SPACING, specs, rng=np.random.default_rng(5))
    assert second["peak_contrast"][0] == pytest.approx(3 * first["peak_contrast"][0], rel=1e-3)


def test_limits_and_grey_step():
    rng = np.random.default_rng(6)
    image = np.rint(rng.normal(4070, 8, (300, 300))).clip(0, 4095).astype(np.uint16)
    specs = [
        CalcificationSpec(150.2, 150.4, 0.4, contrast=100.0),
        CalcificationSpec(60.0, 60.0, 0.2, contrast=5.0),
    ]
    out, truth = insert_calcifications(image, 0.1, specs, rng=rng, limits=(0, 4095), grey_step=1)
    assert out.max() == 4095
    np.testing.assert_array_equal(out, np.rint(out))
    assert truth["clipped"].tolist()[0]
    far = np.ones(image.shape, bool)
    far[140:162, 140:162] = far[50:71, 50:71] = False
    np.testing.assert_array_equal(out[far], image[far])


def test_stochastic_rounding_keeps_faint_contrast():
    image = np.full((400, 400), 100.0) + np.random.default_rng(0).integers(-1, 2, (400, 400))
    specs = [
        CalcificationSpec(row, col, 0.4, contrast=0.4)
        for row in range(50, 351, 50)
        for col in range(50, 351, 50)
    ]
    rng = np.random.default_rng(7)
    out, _ = insert_calcifications(image, 0.1, specs, rng=rng, grey_step=1.0)
    exact, _ = insert_calcifications(image, 0.1, specs, rng=np.random.default_rng(7))
    assert (out - image).sum() == pytest.approx((exact - image).sum(), rel=0.15)


def test_flat_background_does_not_break():
    spec = [CalcificationSpec(100, 100, 0.3, snr=5)]
    out, truth = insert_calcifications(
        np.full((200, 200), 7.0), 0.1, spec, rng=np.random.default_rng(0), grey_step=1
    )
    assert np.isfinite(out).all()
    assert truth["peak_contrast"][0] > 0


def test_at_the_border_of_the_image(background):
    specs = [CalcificationSpec(0.0, 0.4, 0.4, snr=9), CalcificationSpec(699, 599, 0.4, snr=9)]
    out, _ = insert_calcifications(background, SPACING, specs, rng=np.random.default_rng(0))
    assert out.shape == background.shape
    assert out[0, 0] > background[0, 0]
    assert out[699, 599] > background[699, 599]


def test_bad_arguments(background):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="exactly one"):
        CalcificationSpec(1, 1, 0.3)
    with pytest.raises(ValueError, match="exactly one"):
        CalcificationSpec(1, 1, 0.3, snr=1, contrast=1)
    with pytest.raises(ValueError, match="positive"):
        CalcificationSpec(1, 1, 0.3, snr=-1)
    with pytest.raises(ValueError, match="outside the image"):
        insert_calcifications(background, 0.1, [CalcificationSpec(-3, 1, 0.3, snr=5)], rng=rng)
    with pytest.raises(ValueError, match="2-D"):
        insert_calcifications(np.zeros(5), 0.1, [], rng=rng)
    nothing = np.zeros(background.shape, bool)
    spec = [CalcificationSpec(100, 100, 0.3, snr=5)]
    with pytest.raises(ValueError, match="inside the breast"):
        insert_calcifications(background, 0.1, spec, rng=rng, mask=nothing)
