"""Measured shapes against drawn truth, scikit-image, and under flips, gain and spacing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.measure import label as label_parts
from skimage.measure import regionprops

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.schema import SHAPE_MEASURES
from mcdetect.shapes.outlines import Shapes, measure_shapes

FINE = 8  # points per pixel along each axis when truth is drawn


def draw(inside, size_mm, spacing, blur_mm=0.05):
    """Average a blurred figure over pixels; `inside` maps (row, col) in mm to bool."""
    rows, cols = round(size_mm[0] / spacing.row_mm), round(size_mm[1] / spacing.col_mm)
    row = (np.arange(rows * FINE) + 0.5) / FINE - 0.5
    col = (np.arange(cols * FINE) + 0.5) / FINE - 0.5
    figure = inside(row[:, None] * spacing.row_mm, col * spacing.col_mm).astype(np.float32)
    blur = (blur_mm / spacing.row_mm * FINE, blur_mm / spacing.col_mm * FINE)
    figure = ndi.gaussian_filter(figure, blur)
    return figure.reshape(rows, FINE, cols, FINE).mean(axis=(1, 3)), figure


def ellipse(centre, long_mm, short_mm, degrees):
    """Filled ellipse with full axes in mm, turned counter-clockwise as displayed."""
    angle = math.radians(degrees)

    def inside(row, col):
        x, y = col - centre[1], -(row - centre[0])
        along, across = (
            x * math.cos(angle) + y * math.sin(angle),
            y * math.cos(angle) - x * math.sin(angle),
        )
        return (2 * along / long_mm) ** 2 + (2 * across / short_mm) ** 2 <= 1

    return inside


def measure(image, centres_mm, spacing, **options):
    centres = np.atleast_2d(np.asarray(centres_mm, dtype=float))
    return measure_shapes(
        image.astype(np.float32),
        centres[:, 0] / spacing.row_mm,
        centres[:, 1] / spacing.col_mm,
        spacing,
        **options,
    )


def scale_of(diameter_mm, blur_mm=0.05):
    return math.hypot(diameter_mm / 2 / math.sqrt(2), blur_mm)


@pytest.mark.parametrize("spacing_mm", [0.03, 0.05, 0.07, 0.1])
@pytest.mark.parametrize("diameter", [0.25, 0.35, 0.5, 0.8])
def test_diameter_of_blurred_discs(spacing_mm, diameter):
    spacing = PixelSpacing(spacing_mm, spacing_mm)
    found = []
    for off in ((0, 0), (0.3, 0.5), (0.5, 0.1)):
        centre = (1.5 + off[0] * spacing_mm, 1.5 + off[1] * spacing_mm)
        image, _ = draw(ellipse(centre, diameter, diameter, 0), (3, 3), spacing)
        shape = measure(20 * image, centre, spacing, scale_mm=scale_of(diameter))
        found.append(shape.diameter_mm[0])
        assert shape.circularity[0] > 0.97
        assert shape.solidity[0] > 0.98
        assert shape.eccentricity[0] < (0.3 if diameter > 3 * spacing_mm else 0.4)
        assert 0.6 * 20 < shape.contrast[0] < 1.01 * 20
        assert shape.row_px[0] * spacing_mm == pytest.approx(centre[0], abs=0.01)
        assert shape.col_px[0] * spacing_mm == pytest.approx(centre[1], abs=0.01)
        assert shape.area_mm2[0] == pytest.approx(math.pi / 4 * found[-1] ** 2)
        assert shape.perimeter_mm[0] == pytest.approx(math.pi * found[-1], rel=0.03)
        box = shape.max_row_px[0] - shape.min_row_px[0]
        assert box * spacing_mm == pytest.approx(found[-1], rel=0.1)
    assert abs(np.mean(found) / diameter - 1) < 0.10
    assert np.ptp(found) < 0.06 * diameter  # hardly any dependence on where it lies on the grid


@pytest.mark.parametrize(("diameter", "snr"), [(0.25, 8), (0.35, 8), (0.5, 8), (0.25, 16)])
def test_diameter_of_noisy_discs(diameter, snr):
    spacing = PixelSpacing(0.07, 0.07)
    rng = np.random.default_rng(int(100 * diameter) + snr)
    image, _ = draw(ellipse((1.4, 1.4), diameter, diameter, 0), (2.8, 2.8), spacing)
    image *= snr / math.sqrt(np.sum(image**2))
    tiles = np.tile(image, (14, 14))
    noisy = tiles + rng.normal(size=tiles.shape)
    at = 1.4 + 2.8 * np.arange(14)
    centres = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2)
    shapes = measure(noisy, centres, spacing, scale_mm=scale_of(diameter))
    assert abs(np.median(shapes.diameter_mm) / diameter - 1) < 0.10
    clean = measure(tiles, centres, spacing, scale_mm=scale_of(diameter))
    # The mean above half maximum keeps noise from raising the contrast.
    assert np.median(shapes.contrast) == pytest.approx(np.median(clean.contrast), rel=0.15)


@pytest.mark.parametrize(
    "spacing", [PixelSpacing(0.05, 0.05), PixelSpacing(0.04, 0.08), PixelSpacing(0.1, 0.05)]
)
@pytest.mark.parametrize("degrees", [0, 30, 90, 135, -20])
def test_ellipse_in_millimetres_at_any_pixel_shape(spacing, degrees):
    image, _ = draw(ellipse((1.5, 1.5), 0.9, 0.45, degrees), (3, 3), spacing, blur_mm=0.04)
    shape = measure(10 * image, (1.5, 1.5), spacing, scale_mm=0.15)
    assert shape.area_mm2[0] == pytest.approx(math.pi / 4 * 0.9 * 0.45, rel=0.12)
    assert shape.eccentricity[0] == pytest.approx(math.sqrt(1 - 0.25), abs=0.05)
    turn = (shape.orientation_deg[0] - degrees) % 180
    assert min(turn, 180 - turn) < 3
    assert -90 <= shape.orientation_deg[0] <= 90


def test_measures_equal_regionprops_of_the_fine_figure():
    spacing = PixelSpacing(0.04, 0.04)

    def inside(row, col):  # an L: not convex
        upright = (np.abs(row - 1.5) < 0.4) & (np.abs(col - 1.35) < 0.13)
        return upright | ((np.abs(row - 1.77) < 0.13) & (np.abs(col - 1.5) < 0.28))

    image, figure = draw(inside, (3, 3), spacing, blur_mm=0.03)
    shape = measure(10 * image, (1.6, 1.4), spacing, scale_mm=0.05, contour_fraction=0.5)
    (part,) = regionprops(label_parts(figure >= 0.5))
    fine = 0.04 / FINE
    assert shape.area_mm2[0] == pytest.approx(part.area * fine**2, rel=0.06)
    assert shape.solidity[0] == pytest.approx(part.solidity, abs=0.04)
    assert shape.eccentricity[0] == pytest.approx(part.eccentricity, abs=0.05)
    # scikit-image counts from the row axis, counter-clockwise in its own sense.
    turn = (shape.orientation_deg[0] - (math.degrees(part.orientation) - 90)) % 180
    assert min(turn, 180 - turn) < 5
    assert shape.perimeter_mm[0] == pytest.approx(part.perimeter * fine, rel=0.08)
    assert shape.solidity[0] < 0.9
    assert shape.circularity[0] < 0.75


def pair(gap_mm, heights, diameter=0.3):
    spacing = PixelSpacing(0.05, 0.05)
    centres = [(1.5, 1.5 - gap_mm / 2), (1.5, 1.5 + gap_mm / 2)]
    image = sum(
        height * draw(ellipse(centre, diameter, diameter, 0), (3, 3), spacing)[0]
        for height, centre in zip(heights, centres, strict=True)
    )
    return 20 * image, centres, spacing


@pytest.mark.parametrize("heights", [(1, 1), (1, 2), (3, 1)])
@pytest.mark.parametrize("gap", [0.38, 0.45, 0.6])
def test_neighbours_are_kept_apart(heights, gap):
    image, centres, spacing = pair(gap, heights)
    shapes = measure(image, centres, spacing, scale_mm=scale_of(0.3))
    np.testing.assert_allclose(shapes.diameter_mm, 0.3, rtol=0.2)
    middle = 1.5 / spacing.col_mm
    assert shapes.max_col_px[0] < middle + 1
    assert shapes.min_col_px[1] > middle - 1
    assert shapes.contrast[0] / shapes.contrast[1] == pytest.approx(heights[0] / heights[1], rel=0.2)


def test_a_valley_of_15_percent_parts_two_summits():
    """Between the summits the image falls by 13 % of their height, and by 28 %."""
    image, centres, spacing = pair(0.30, (1, 1))
    one = measure(image, centres, spacing, scale_mm=scale_of(0.3))
    np.testing.assert_allclose(one.max_col_px, one.max_col_px[0], atol=0.1)
    assert one.min_col_px[1] < centres[0][1] / spacing.col_mm
    image, centres, spacing = pair(0.32, (1, 1))
    two = measure(image, centres, spacing, scale_mm=scale_of(0.3))
    middle = 1.5 / spacing.col_mm
    assert two.max_col_px[0] < middle + 1 < middle + 5 < two.max_col_px[1]


def test_one_object_is_not_split():
    spacing = PixelSpacing(0.05, 0.05)
    image, _ = draw(ellipse((1.5, 1.5), 0.9, 0.5, 20), (3, 3), spacing)
    noisy = 20 * image + np.random.default_rng(0).normal(size=image.shape)
    shape = measure(noisy, (1.5, 1.5), spacing, scale_mm=0.2)
    assert shape.area_mm2[0] == pytest.approx(math.pi / 4 * 0.9 * 0.5, rel=0.12)


def test_a_rim_counts_its_hole():
    spacing = PixelSpacing(0.05, 0.05)

    def inside(row, col):
        return np.abs(np.hypot(row - 1.5, col - 1.5) - 0.3) < 0.08

    image, _ = draw(inside, (3, 3), spacing, blur_mm=0.04)
    shape = measure(20 * image, (1.5, 1.5), spacing, scale_mm=0.27)
    # Smoothing lowers a thin rim, so its outline lies somewhat outside; without the hole it would be 0.57.
    assert shape.diameter_mm[0] == pytest.approx(0.76, rel=0.2)


def scene(seed=3, shape=(90, 110)):
    rng = np.random.default_rng(seed)
    image = ndi.gaussian_filter(rng.normal(size=shape), 0.8) * 1.5
    rows, cols = np.indices(shape)
    centres = rng.uniform(12, 78, (12, 2))
    for r, c in centres:
        a, b, t = *rng.uniform(1.0, 3.0, 2), rng.uniform(0, np.pi)
        along = (cols - c) * np.cos(t) + (rows - r) * np.sin(t)
        across = (rows - r) * np.cos(t) - (cols - c) * np.sin(t)
        image += 12 * np.exp(-0.5 * ((along / a) ** 2 + (across / b) ** 2))
    return image.astype(np.float32), centres


SIZES = [name for name in SHAPE_MEASURES if name != "snr"]


@pytest.mark.parametrize("how", ["rows", "cols", "turn", "transpose"])
def test_flips_and_turns_do_not_matter(how):
    image, centres = scene()
    spacing = PixelSpacing(0.07, 0.06)
    before = measure_shapes(image, centres[:, 0], centres[:, 1], spacing)
    rows, cols = centres.T
    height, width = image.shape
    if how == "rows":
        image, rows, sign = image[::-1], height - 1 - rows, -1
    elif how == "cols":
        image, cols, sign = image[:, ::-1], width - 1 - cols, -1
    elif how == "turn":
        image, rows, cols, sign = image[::-1, ::-1], height - 1 - rows, width - 1 - cols, 1
    else:
        image, rows, cols, spacing = image.T, cols, rows, PixelSpacing(0.06, 0.07)
    after = measure_shapes(image, rows, cols, spacing)
    for name in SIZES:
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=2e-3, atol=2e-3)
    # Transposing swaps axes: counted from the columns, the other way round.
    expected = -90 - before.orientation_deg if how == "transpose" else sign * before.orientation_deg
    turn = (after.orientation_deg - expected) % 180
    assert np.all(np.minimum(turn, 180 - turn)[before.eccentricity > 0.3] < 0.5)


@given(st.floats(0.01, 1000), st.floats(-5, 5))
@settings(max_examples=25)
def test_gain_and_offset_change_only_the_contrast(gain, offset):
    image, centres = scene()
    spacing = PixelSpacing(0.07, 0.07)
    before = measure_shapes(image, centres[:, 0], centres[:, 1], spacing)
    after = measure_shapes((gain * (image + offset)).astype(np.float32), *centres.T, spacing)
    np.testing.assert_allclose(after.contrast, gain * before.contrast, rtol=1e-3)
    np.testing.assert_allclose(after.area_mm2, before.area_mm2, rtol=1e-2)
    np.testing.assert_allclose(after.perimeter_mm, before.perimeter_mm, rtol=1e-2)


def test_order_and_company_do_not_matter():
    image, centres = scene()
    spacing = PixelSpacing(0.07, 0.07)
    many = np.concatenate([centres] * 20)  # enough for several threads
    alone = [measure_shapes(image, [r], [c], spacing) for r, c in centres]
    together = measure_shapes(image, many[::-1, 0], many[::-1, 1], spacing)
    for name, values in together.as_dict().items():
        np.testing.assert_array_equal(values[::-1][:12], [getattr(shape, name)[0] for shape in alone])


def test_ranges_hold_anywhere():
    rng = np.random.default_rng(8)
    image = rng.normal(size=(120, 100)).astype(np.float32)
    rows, cols = rng.uniform(-0.5, 119.5, 400), rng.uniform(-0.5, 99.5, 400)
    scale = rng.uniform(0.05, 0.35, 400)
    shapes = measure_shapes(image, rows, cols, PixelSpacing(0.07, 0.07), scale_mm=scale)
    known = np.isfinite(shapes.area_mm2)
    assert 0.5 < known.mean() < 1  # some lie in a trough of the noise
    for name, values in shapes.as_dict().items():
        assert values.dtype == np.float64
        if name != "integrated_contrast_mm2":  # missing where no body fits: a rise without a summit
            assert np.isfinite(values[known]).all(), name
        assert np.isnan(values[~known]).all(), name
    for name in ("circularity", "eccentricity", "solidity"):
        assert getattr(shapes, name)[known].min() >= 0
        assert getattr(shapes, name)[known].max() <= 1
    assert shapes.diameter_mm[known].max() <= 2.0
    assert shapes.min_row_px[known].min() >= -1
    assert shapes.max_row_px[known].max() <= 120


@pytest.mark.parametrize("corner", [(0, 0), (0, 59), (59, 30), (59, 59)])
def test_spot_on_the_border(corner):
    rows, cols = np.indices((60, 60))
    image = 10 * np.exp(-((rows - corner[0]) ** 2 + (cols - corner[1]) ** 2) / 8).astype(np.float32)
    shape = measure_shapes(image, [corner[0]], [corner[1]], PixelSpacing(0.07, 0.07))
    assert 0.05 < shape.diameter_mm[0] < 0.5
    assert -1 <= shape.min_row_px[0] <= shape.max_row_px[0] <= 60


def test_nothing_there_is_nan():
    for image in (np.zeros((50, 50), np.float32), np.full((50, 50), np.nan, np.float32)):
        shape = measure_shapes(image, [25.0], [25.0], PixelSpacing(0.07, 0.07))
        assert all(np.isnan(values).all() for values in shape.as_dict().values())


def test_no_candidates():
    shapes = measure_shapes(np.zeros((50, 50), np.float32), [], [], PixelSpacing(0.07, 0.07))
    assert isinstance(shapes, Shapes)
    assert len(shapes) == 0
    assert all(values.shape == (0,) and values.dtype == np.float64 for values in shapes.as_dict().values())


def test_tiny_image():
    image = np.zeros((3, 2), np.float32)
    image[1, 1] = 5
    shape = measure_shapes(image, [1], [1], PixelSpacing(0.07, 0.07))
    assert np.isnan(shape.area_mm2[0]) or shape.area_mm2[0] < 0.1


def test_shape_measures_of_the_schema_are_there():
    names = set(measure_shapes(np.zeros((9, 9), np.float32), [], [], PixelSpacing(0.07, 0.07)).as_dict())
    assert set(SHAPE_MEASURES) - {"snr"} <= names
    assert "orientation_deg" in names


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tophat": np.zeros((9, 9))}, "float32"),
        ({"rows_px": [1.0, 2.0]}, "one length"),
        ({"rows_px": [9.0]}, "inside"),
        ({"rows_px": [np.nan]}, "inside"),
        ({"scale_mm": 0.0}, "scale_mm"),
        ({"scale_mm": [0.1, 0.2]}, "scale_mm"),
        ({"contour_fraction": 1.0}, "contour_fraction"),
        ({"max_diameter_mm": 0.0}, "max_diameter_mm"),
    ],
)
def test_bad_arguments(changes, match):
    given = {"tophat": np.zeros((9, 9), np.float32), "rows_px": [4.0], "cols_px": [4.0]} | changes
    with pytest.raises(ValueError, match=match):
        measure_shapes(spacing=PixelSpacing(0.07, 0.07), **given)
