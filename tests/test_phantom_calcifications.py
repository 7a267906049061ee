"""The drawn calcification is what its parameters say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcdetect.kernels.grain import grain_thickness
from mcdetect.phantom import SystemBlur, draw_calcification


def thickness_twin(u, v, centres, radii):
    """Plain NumPy twin of `grain_thickness` at points (u, v)."""
    top, bottom = np.full(u.shape, -np.inf), np.full(u.shape, np.inf)
    for centre, radius in zip(centres, radii, strict=True):
        room = 1 - ((u - centre[0]) / radius[0]) ** 2 - ((v - centre[1]) / radius[1]) ** 2
        half = radius[2] * np.sqrt(np.maximum(room, 0))
        top = np.where(room > 0, np.maximum(top, centre[2] + half), top)
        bottom = np.where(room > 0, np.minimum(bottom, centre[2] - half), bottom)
    return np.where(top > bottom, top - bottom, 0)


def centroid_px(values):
    rows, cols = (np.arange(n) - n // 2 for n in values.shape)
    total = values.sum()
    return float((values.sum(1) * rows).sum() / total), float((values.sum(0) * cols).sum() / total)


def test_kernel_equals_its_twin():
    rng = np.random.default_rng(3)
    centres, radii = rng.normal(0, 0.5, (4, 3)), rng.uniform(0.3, 1.0, (4, 3))
    u_x, v_x = np.linspace(-2, 2, 61), np.linspace(-0.4, 0.4, 61)
    u_y, v_y = np.linspace(0.3, -0.3, 47), np.linspace(-2, 2, 47)
    drawn = grain_thickness(u_x, u_y, v_x, v_y, centres, radii)
    u, v = u_x[None] + u_y[:, None], v_x[None] + v_y[:, None]
    assert drawn.max() > 0.5
    np.testing.assert_allclose(drawn, thickness_twin(u, v, centres, radii), atol=1e-12)


@pytest.mark.parametrize("diameter_mm", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("irregularity", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("elongation", [1.0, 2.0])
def test_diameter_measured_back_within_3_percent(diameter_mm, irregularity, elongation):
    pitch = diameter_mm / 200
    stamp = draw_calcification(
        diameter_mm,
        pitch,
        irregularity=irregularity,
        elongation=elongation,
        orientation=0.7,
        blur=0.0,
        rng=np.random.default_rng(5),
    )
    area = np.count_nonzero(stamp.values > 0) * pitch**2
    assert 2 * math.sqrt(area / math.pi) == pytest.approx(diameter_mm, rel=0.03)
    assert stamp.diameter_mm == diameter_mm


@settings(max_examples=25)
@given(
    size=st.floats(1.5, 6.0),
    row_mm=st.floats(0.03, 0.2),
    col_mm=st.floats(0.03, 0.2),
    offset=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    seed=st.integers(0, 1000),
)
def test_centroid_lies_where_asked(size, row_mm, col_mm, offset, seed):
    # A grain narrower than the pixels is under-sampled: its centroid is then really biased.
    diameter_mm = size * max(row_mm, col_mm)
    rng = np.random.default_rng(seed)
    stamp = draw_calcification(diameter_mm, (row_mm, col_mm), offset_px=offset, blur=0.05, rng=rng)
    assert stamp.values.dtype == np.float32
    assert stamp.values.max() == pytest.approx(1.0)
    assert stamp.values.min() >= 0
    assert all(size % 2 == 1 for size in stamp.values.shape)
    np.testing.assert_allclose(centroid_px(stamp.values), offset, atol=0.05)
    edge = np.concatenate([stamp.values[[0, -1]].ravel(), stamp.values[:, [0, -1]].ravel()])
    assert edge.max() < 0.01


def test_blur_and_sampling_keep_the_volume():
    volumes = []
    for spacing in (0.03, 0.07, (0.05, 0.15), 0.2):
        for blur in (0.02, 0.08, SystemBlur(0.05, tail_fraction=0.2)):
            pair = spacing if isinstance(spacing, tuple) else (spacing, spacing)
            stamp = draw_calcification(0.35, spacing, blur=blur, rng=np.random.default_rng(8))
            volumes.append(stamp.values.sum() * stamp.peak_thickness_mm * pair[0] * pair[1])
    np.testing.assert_allclose(volumes, volumes[0], rtol=0.01)


def test_blur_adds_its_variance():
    sharp, soft, tailed = (
        draw_calcification(0.4, 0.03, blur=blur, rng=np.random.default_rng(2)).second_moment_mm ** 2
        for blur in (SystemBlur(0.03), SystemBlur(0.10), SystemBlur(0.05, tail_fraction=0.3))
    )
    assert soft - sharp == pytest.approx(0.10**2 - 0.03**2, rel=0.02)
    expected = SystemBlur(0.05, tail_fraction=0.3).variance_mm2 - 0.03**2
    assert tailed - sharp == pytest.approx(expected, rel=0.02)


def test_second_moment_is_at_least_the_aperture():
    for offset in ((0.0, 0.0), (0.5, 0.5)):
        stamp = draw_calcification(0.1, 0.3, blur=0.02, offset_px=offset, rng=np.random.default_rng(2))
        assert stamp.second_moment_mm >= math.sqrt(0.02**2 + 0.3**2 / 12) - 1e-9


def test_long_axis_follows_the_orientation():
    angle = 0.6
    stamp = draw_calcification(
        0.5, 0.03, irregularity=0, elongation=2.5, orientation=angle, blur=0.03, rng=np.random.default_rng(0)
    )
    row, col = np.indices(stamp.values.shape) - np.array(stamp.values.shape)[:, None, None] // 2
    weight = stamp.values / stamp.values.sum()
    rr, cc, rc = (weight * row**2).sum(), (weight * col**2).sum(), (weight * row * col).sum()
    assert 0.5 * math.atan2(2 * rc, cc - rr) == pytest.approx(angle, abs=0.02)


def test_more_irregular_is_less_compact():
    def solidity(irregularity):
        from skimage.measure import label, regionprops

        values = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            stamp = draw_calcification(0.5, 0.01, irregularity=irregularity, elongation=1, blur=0.0, rng=rng)
            values.append(regionprops(label(stamp.values > 0))[0].solidity)
        return np.mean(values)

    assert solidity(0.0) > 0.95
    assert solidity(1.0) < solidity(0.5) < solidity(0.0)


def test_same_generator_same_grain():
    first, second, other = (
        draw_calcification(0.3, 0.07, rng=np.random.default_rng(seed)).values for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize(
    "wrong",
    [
        {"diameter_mm": 0.0},
        {"diameter_mm": math.nan},
        {"spacing": 0.0},
        {"spacing": (0.1, math.nan)},
        {"irregularity": 1.5},
        {"elongation": 0.5},
        {"blur": -0.1},
    ],
)
def test_bad_arguments(wrong):
    arguments = {"diameter_mm": 0.3, "spacing": 0.1, "rng": np.random.default_rng(0)} | wrong
    with pytest.raises(ValueError, match="must be"):
        draw_calcification(**arguments)


@pytest.mark.parametrize("wrong", [{"tail_fraction": 1.0}, {"tail_ratio": 0.5}, {"sigma_mm": math.inf}])
def test_bad_blur(wrong):
    with pytest.raises(ValueError, match="must be"):
        SystemBlur(**wrong)
