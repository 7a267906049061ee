"""Axes, edge, rim, roughness and neighbours of calcifications: drawn truth, invariants, speed."""

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
from mcdetect.shapes.outlines import measure_shapes
from mcdetect.shapes.tophat import tophat_image
from mcdetect.spots.context import nearest_mm

STEP = 0.01  # mm, of figures drawn as truth


def figure(inside, spacing, size_mm=3.0, blur_mm=0.05, centre=(0.0, 0.0)):
    """Blurred figure, averaged over pixels; `inside` maps (row, col) in mm from the middle to thickness."""
    across = [round(size_mm / pitch) for pitch in (spacing.row_mm, spacing.col_mm)]
    fine = [round(pitch / STEP) for pitch in (spacing.row_mm, spacing.col_mm)]
    row, col = (
        (np.arange(n * k) + 0.5) / k * pitch - 0.5 * n * pitch
        for n, k, pitch in zip(across, fine, (spacing.row_mm, spacing.col_mm), strict=True)
    )
    drawn = np.asarray(inside(row[:, None] - centre[0], col - centre[1]), dtype=np.float64)
    blurred = ndi.gaussian_filter(drawn, blur_mm / STEP)
    return blurred.reshape(across[0], fine[0], across[1], fine[1]).mean(axis=(1, 3)).astype(np.float32)


def disc(diameter):
    return lambda row, col: np.hypot(row, col) <= diameter / 2


def shapes_of(image, spacing, scale_mm, **options):
    middle = [[0.5 * n - 0.5] for n in image.shape]
    return measure_shapes(image, *middle, spacing, scale_mm=scale_mm, **options)


@given(st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=30)
def test_nearest_by_brute_force(n, seed):
    place = np.random.default_rng(seed).uniform(0, 50, (n, 2)).round(1)
    distance = np.linalg.norm(place[:, None] - place, axis=2)
    np.fill_diagonal(distance, np.inf)
    want = distance.min(axis=1) if n > 1 else [np.nan]
    np.testing.assert_allclose(nearest_mm(*place.T), want, atol=1e-12)


# --- drawn truth -----------------------------------------------------------------------------------


def test_axes_equal_regionprops():
    spacing = PixelSpacing(0.05, 0.05)

    def inside(row, col):
        x, y = col * math.cos(0.5) - row * math.sin(0.5), row * math.cos(0.5) + col * math.sin(0.5)
        return (x / 0.45) ** 2 + (y / 0.25) ** 2 <= 1

    image = figure(inside, spacing, blur_mm=0.03)
    shape = shapes_of(20 * image, spacing, 0.18, blur_mm=0.03)
    fine = figure(inside, PixelSpacing(STEP, STEP), blur_mm=0.03)
    (part,) = regionprops(label_parts(fine >= 0.5))
    assert shape.major_axis_mm[0] == pytest.approx(part.axis_major_length * STEP, rel=0.08)
    assert shape.minor_axis_mm[0] == pytest.approx(part.axis_minor_length * STEP, rel=0.08)
    assert shape.diameter_mm[0] == pytest.approx(part.equivalent_diameter_area * STEP, rel=0.06)
    assert shape.perimeter_mm[0] == pytest.approx(part.perimeter * STEP, rel=0.06)
    assert shape.eccentricity[0] == pytest.approx(part.eccentricity, abs=0.04)
    assert shape.solidity[0] == pytest.approx(part.solidity, abs=0.03)
    assert shape.compactness[0] == pytest.approx(1 - shape.circularity[0])
    for name in ("row", "col"):
        assert getattr(shape, f"min_{name}_px")[0] < 0.5 * 60 - 0.5 < getattr(shape, f"max_{name}_px")[0]


def test_a_lucent_centre_shows_in_the_rim_ratio():
    spacing = PixelSpacing(0.05, 0.05)
    ring = figure(lambda row, col: np.abs(np.hypot(row, col) - 0.3) < 0.08, spacing)
    full = figure(disc(0.76), spacing)
    assert shapes_of(20 * ring, spacing, 0.27).rim_ratio[0] > 1.3
    assert 0.7 < shapes_of(20 * full, spacing, 0.27).rim_ratio[0] < 1.0


def test_blur_softens_the_edge_and_keeps_the_volume():
    spacing = PixelSpacing(0.05, 0.05)
    sharp, soft = (
        shapes_of(20 * figure(disc(0.5), spacing, blur_mm=b), spacing, 0.18, blur_mm=b) for b in (0.03, 0.1)
    )
    assert sharp.edge_sharpness_per_mm[0] > 1.15 * soft.edge_sharpness_per_mm[0]
    for shape in (sharp, soft):
        assert shape.integrated_contrast_mm2[0] == pytest.approx(20 * math.pi / 4 * 0.25, rel=0.1)
        assert shape.diameter_mm[0] == pytest.approx(0.5, rel=0.1)


def test_rough_outlines_stand_out():
    spacing = PixelSpacing(0.04, 0.04)

    def lobed(row, col):
        return np.hypot(row, col) <= 0.4 * (1 + 0.35 * np.cos(5 * np.arctan2(row, col)))

    rough, smooth = (
        shapes_of(20 * figure(f, spacing, blur_mm=0.03), spacing, 0.25) for f in (lobed, disc(0.8))
    )
    for name, least in (("roughness", 0.02), ("moment_irregularity", 0.005), ("compactness", 0.02)):
        assert getattr(rough, name)[0] > getattr(smooth, name)[0] + least, name
    assert smooth.roughness[0] < 0.1
    assert smooth.compactness[0] < 0.05


# --- invariants ------------------------------------------------------------------------------------

NAMES = [name for name in SHAPE_MEASURES if name != "snr"]
IN_GREY = ("contrast", "integrated_contrast_mm2")


def scene(seed):
    rng = np.random.default_rng(seed)
    image = ndi.gaussian_filter(rng.normal(size=(60, 70)), 0.8) * 1.5
    rows, cols = np.indices(image.shape)
    centres = np.array([[14.3, 15.1], [40.2, 18.8], [25.0, 48.6]])
    for r, c in centres:
        a, b, t = *rng.uniform(1.0, 3.0, 2), rng.uniform(0, np.pi)
        along = (cols - c) * np.cos(t) + (rows - r) * np.sin(t)
        across = (rows - r) * np.cos(t) - (cols - c) * np.sin(t)
        image += 12 * np.exp(-0.5 * ((along / a) ** 2 + (across / b) ** 2))
    return image.astype(np.float32), centres


@given(
    st.integers(0, 10**6), st.sampled_from(["rows", "cols", "both", "transpose", "shift", "gain"]), st.data()
)
@settings(max_examples=60)
def test_flips_shifts_and_gain_do_not_matter(seed, how, data):
    image, centres = scene(seed)
    spacing = PixelSpacing(0.07, 0.06)
    before = measure_shapes(image, *centres.T, spacing)
    (rows, cols), (height, width) = centres.T, image.shape
    gain = 1.0
    if how in ("rows", "both"):
        image, rows = image[::-1], height - 1 - rows
    if how in ("cols", "both"):
        image, cols = image[:, ::-1], width - 1 - cols
    if how == "transpose":
        image, rows, cols, spacing = image.T, cols, rows, PixelSpacing(0.06, 0.07)
    if how == "shift":
        down, right = data.draw(st.tuples(st.integers(0, 20), st.integers(0, 20)))
        image = np.pad(image, ((down + 5, 5), (right + 5, 5)), mode="reflect")
        middle = np.pad(image, 0)  # only spots whose windows stay clear of the padding compare exactly
        rows, cols, image = rows + down + 5, cols + right + 5, middle
        inner = measure_shapes(np.ascontiguousarray(image[down:, right:]), rows - down, cols - right, spacing)
        before = inner
    if how == "gain":
        gain, offset = data.draw(st.tuples(st.floats(0.01, 1000), st.floats(-5, 5)))
        image = (gain * (image + np.float32(offset))).astype(np.float32)
    after = measure_shapes(np.ascontiguousarray(image), rows, cols, spacing)
    for name in NAMES:
        want = getattr(before, name) * (gain if name in IN_GREY else 1.0)
        np.testing.assert_allclose(
            getattr(after, name), want, rtol=0.02, atol=0.01 * (gain if name in IN_GREY else 1), err_msg=name
        )


@given(
    st.integers(0, 2**31),
    st.sampled_from(["noise", "flat", "steps", "spike", "huge", "tiny"]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(0.03, 0.2),
)
@settings(max_examples=80)
def test_measures_are_finite_or_missing(seed, kind, height, width, pitch):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(height, width))
    if kind == "flat":
        image = np.full((height, width), 3.0)
    elif kind == "steps":
        image = np.round(image)
    elif kind == "spike":
        image = np.zeros((height, width))
        image[rng.integers(height), rng.integers(width)] = 1.0
    elif kind in ("huge", "tiny"):
        image = image * (1e12 if kind == "huge" else 1e-12)
    n = int(rng.integers(1, 20))
    rows, cols = rng.uniform(-0.5, height - 0.5, n), rng.uniform(-0.5, width - 0.5, n)
    shapes = measure_shapes(
        image.astype(np.float32), rows, cols, PixelSpacing(pitch, pitch), scale_mm=rng.uniform(0.05, 0.4, n)
    )
    known = np.isfinite(shapes.area_mm2)
    for name, values in shapes.as_dict().items():
        assert np.all(np.isfinite(values) | np.isnan(values)), name
        assert np.all(np.isnan(values[~known])), name
    for name in ("circularity", "compactness", "eccentricity", "solidity", "roughness"):
        values = getattr(shapes, name)[known]
        assert np.all((values >= 0) & (values <= 1)), name
    assert np.all(shapes.major_axis_mm[known] >= shapes.minor_axis_mm[known])
    assert np.all(shapes.rim_ratio[known] >= 0)
    for name in ("integrated_contrast_mm2", "edge_sharpness_per_mm"):
        values = getattr(shapes, name)
        assert np.all(values[np.isfinite(values)] >= 0), name


@pytest.mark.parametrize("blur_mm", [0.0, -1.0, math.nan, 1.0])
def test_blur_must_make_sense(blur_mm):
    with pytest.raises(ValueError, match="blur_mm"):
        measure_shapes(np.zeros((9, 9), np.float32), [4.0], [4.0], PixelSpacing(0.07, 0.07), blur_mm=blur_mm)


@pytest.mark.parametrize("aside_mm", [0.0, 0.35, 0.5])
def test_a_long_body_keeps_its_size_when_the_spot_lies_at_its_end(aside_mm):
    spacing = PixelSpacing(0.07, 0.07)
    image = 20 * figure(
        lambda row, col: np.maximum(np.abs(col) - 0.5, 0) ** 2 + row**2 <= 0.275**2, spacing, size_mm=4.2
    )
    image = tophat_image(image, spacing, 1.0)
    middle = 0.5 * image.shape[0] - 0.5
    shapes = measure_shapes(image, [middle], [middle + aside_mm / 0.07], spacing, scale_mm=0.2)
    assert shapes.minor_axis_mm[0] == pytest.approx(0.6, rel=0.1)
    assert shapes.major_axis_mm[0] > 1.2  # nothing farther than 1 mm from the spot belongs to it
