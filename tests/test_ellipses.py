"""Ellipses behind blur: kernels against plain twins, and axes of drawn bodies through the whole detector."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from scipy import ndimage as ndi
from scipy.optimize import minimize

from benchmarks.measurement import ellipses
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.bodies import (
    BALL_PLATES,
    FINE_BALL_PLATES,
    KINDS,
    MANY_PLATES,
    NODES_PER_BLUR,
    VOLUME,
    blurred_ellipse,
)
from mcdetect.kernels.ellipses import LEAST_REST, SHARES, fit_ellipse
from mcdetect.kernels.polygons import polygon_geometry, stretch_polygon, stretch_to
from mcdetect.kernels.reaches import RAYS
from mcdetect.shapes.outlines import measure_shapes

KNOWN = np.array([0.14, 0.8, 0.1, 0.5, 0.03])
BLUR_MM = 0.05


def height(
    x: float, y: float, a: float, b: float, blur_x: float, blur_y: float, kind: int = 0
) -> npt.NDArray[np.float64]:
    out = np.empty(5)
    blurred_ellipse(kind, x, y, a, b, blur_x, blur_y, out)
    return out


@pytest.mark.parametrize(("a", "b"), [(0.08, 0.08), (0.3, 0.1), (0.4, 0.1), (0.3, 0.25), (0.6, 0.5)])
@pytest.mark.parametrize("blur", [(0.05, 0.05), (0.054, 0.06)])
@pytest.mark.parametrize("kind", range(KINDS))
def test_a_blurred_ellipse_equals_a_drawn_one(
    a: float, b: float, blur: tuple[float, float], kind: int
) -> None:
    step = 0.005
    place = np.arange(-200, 201) * step
    depth = 1.0 - (place / a) ** 2 - (place[:, None] / b) ** 2
    figure = np.sqrt(np.maximum(depth, 0.0)) if kind else (depth >= 0.0).astype(float)
    drawn = ndi.gaussian_filter(figure, (blur[1] / step, blur[0] / step), truncate=6)
    for row in range(0, 401, 20):
        for col in range(0, 401, 20):
            found = height(place[col], place[row], a, b, *blur, kind)[0]
            # The plates of a large ball show as steps.
            assert found == pytest.approx(drawn[row, col], abs=0.012 if kind == 0 else 0.03)


@given(
    st.floats(-0.4, 0.4),
    st.floats(-0.3, 0.3),
    st.floats(0.08, 0.4),
    st.floats(0.05, 0.3),
    st.floats(0.04, 0.09),
    st.integers(0, KINDS - 1),
)
@settings(max_examples=60)
def test_derivatives_of_a_blurred_ellipse(
    x: float, y: float, a: float, b: float, blur: float, kind: int
) -> None:
    found = height(x, y, a, b, blur, 0.06, kind)
    small = 1e-5
    moved = [
        (height(*up, blur, 0.06, kind)[0] - height(*down, blur, 0.06, kind)[0]) / (2 * small)
        for up, down in (
            ((x + small, y, a, b), (x - small, y, a, b)),
            ((x, y + small, a, b), (x, y - small, a, b)),
            ((x, y, a * math.exp(small), b), (x, y, a * math.exp(-small), b)),
        )
    ]
    np.testing.assert_allclose(found[1:4], moved, atol=5e-3, rtol=2e-3)
    # Along b the number of strips may change, and with it the last digits.
    scales = [scale for _, scale in (*BALL_PLATES, *FINE_BALL_PLATES)] if kind else [1.0]
    strips = [[int(NODES_PER_BLUR * s * b * math.exp(off) / 0.06) for s in scales] for off in (small, -small)]
    if strips[0] == strips[1] and abs(b - MANY_PLATES * 0.06) > 1e-4:
        up, down = (height(x, y, a, b * math.exp(off), blur, 0.06, kind)[0] for off in (small, -small))
        assert found[4] == pytest.approx((up - down) / (2 * small), abs=5e-3, rel=2e-3)


Known = tuple[float, npt.NDArray[np.float64], float]


def plain_fit(
    image: npt.NDArray[np.float32],
    centre: tuple[float, float],
    pitch: tuple[float, float],
    near: tuple[float, float, float, float, float],
    independent: float,
    kind: int,
    start: npt.NDArray[np.float64],
) -> Known:
    """Most likely ellipse, by Nelder and Mead; its chance, state and volume."""
    rows, cols = np.indices(image.shape)
    y, x = (rows - centre[0]) * pitch[0], (cols - centre[1]) * pitch[1]
    cos, sin = math.cos(near[4]), math.sin(near[4])
    along = (x - near[1]) * cos - (y - near[0]) * sin
    aside = (x - near[1]) * sin + (y - near[0]) * cos
    inside = (along / near[2]) ** 2 + (aside / near[3]) ** 2 <= 1
    y, x, value = y[inside], x[inside], image[inside].astype(float)
    unit = value.std()
    value = (value - value.mean()) / unit
    row_var, col_var = (BLUR_MM**2 + p**2 / 12 for p in pitch)

    def best(state: npt.NDArray[np.float64]) -> tuple[float, float]:
        row, col, size, e_x, e_y = state
        stretch, turn = math.hypot(e_x, e_y), 0.5 * math.atan2(e_y, e_x)
        a, b = math.exp(size + stretch), math.exp(size - stretch)
        cos, sin = math.cos(turn), math.sin(turn)
        blur = (
            math.sqrt(cos**2 * col_var + sin**2 * row_var),
            math.sqrt(cos**2 * row_var + sin**2 * col_var),
        )
        body = [
            height((u - col) * cos - (v - row) * sin, (u - col) * sin + (v - row) * cos, a, b, *blur, kind)[0]
            for v, u in zip(y, x, strict=True)
        ]
        span = np.stack([np.array(body), np.ones_like(y), y, x], axis=1)
        linear = np.linalg.lstsq(span, value, rcond=None)[0]
        rest = float(np.sum((value - span @ linear) ** 2)) + LEAST_REST * value.size
        known = 0.5 * ((size - math.log(KNOWN[0])) / KNOWN[1]) ** 2
        known += KNOWN[3] * math.log(1 + (stretch / KNOWN[2]) ** 2)
        return 0.5 * independent * value.size * math.log(rest) + known, float(linear[0])

    found = minimize(
        lambda state: best(state)[0],
        start,
        method="Nelder-Mead",
        options={"maxiter": 900, "xatol": 1e-5, "fatol": 1e-6},
    )
    volume = best(found.x)[1] * unit * VOLUME[kind] * math.pi * math.exp(2 * found.x[2])
    return float(found.fun), found.x, volume


@pytest.mark.parametrize("seed", range(8))
def test_the_fit_is_the_most_likely_ellipse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pitch = (0.07, 0.07) if seed % 2 else (0.07, 0.1)
    body = ellipses.ellipse(*((0.6, 0.2), (0.3, 0.2), (0.45, 0.2), (0.35, 0.2))[seed % 4])
    degrees = float(rng.uniform(0, 180))
    image = np.pad(20 * ellipses.draw(body, pitch, degrees, (0.2, -0.3)), 8)
    rows, cols = np.indices(image.shape)
    image = (image + 0.3 * rows - 0.2 * cols + rng.normal(size=image.shape)).astype(np.float32)
    centre = (image.shape[0] // 2 + 0.2, image.shape[1] // 2 - 0.3)
    a, b, angle = 0.5 * body.major_mm, 0.5 * body.minor_mm, math.radians(degrees + 5)
    near = (0.01, -0.01, a + 0.2, b + 0.2, angle)
    found = np.empty(6)
    assert fit_ellipse(
        image, *centre, *pitch, np.array([0.01, -0.01, a + 0.02, b + 0.02, angle]), a + 0.2, b + 0.2,
        np.full(RAYS, 9.0), BLUR_MM, KNOWN, 0.6, np.empty((900, 3)), found,
    )  # fmt: skip
    stretch = 0.5 * math.log(a / b)
    start = np.array(
        [0, 0, 0.5 * math.log(a * b), stretch * math.cos(2 * angle), stretch * math.sin(2 * angle)]
    )
    fits = [plain_fit(image, centre, pitch, near, 0.6, kind, start) for kind in range(KINDS)]
    chance = np.exp(min(fit[0] for fit in fits) - np.array([fit[0] for fit in fits]))
    weight = chance * np.array(SHARES)
    size, long, volume = (
        float(np.average([of(fit) for fit in fits], weights=weight))
        for of in (lambda f: f[1][2], lambda f: np.hypot(f[1][3], f[1][4]), lambda f: np.log(f[2]))
    )
    np.testing.assert_allclose(np.log(found[2:4]), [size + long, size - long], atol=0.01)
    assert found[5] == pytest.approx(math.exp(volume), rel=0.01)
    likeliest = fits[int(np.argmax(chance))][1]
    np.testing.assert_allclose(found[:2], likeliest[:2], atol=0.002)
    off = (found[4] - 0.5 * math.atan2(likeliest[4], likeliest[3]) + math.pi / 2) % math.pi - math.pi / 2
    assert abs(off) < 0.01
    assert found[5] == pytest.approx(20 * math.pi / 4 * body.major_mm * body.minor_mm, rel=0.15)


@given(
    st.floats(0.01, 0.1), st.floats(1.01, 5.0), st.floats(-1.5, 1.5),
    st.floats(0.02, 0.09), st.floats(1.01, 5.0), st.floats(-1.5, 1.5),
)  # fmt: skip
@settings(max_examples=60)
def test_a_stretch_gives_the_moments_wanted(
    minor: float, more: float, angle: float, short: float, longer: float, turn: float
) -> None:
    def matrix(small: float, large: float, at: float) -> npt.NDArray[np.float64]:
        axis = np.array([-math.sin(at), math.cos(at)])  # (row, col)
        side = np.array([axis[1], -axis[0]])
        return large * np.outer(axis, axis) + small * np.outer(side, side)

    factors = np.empty(4)
    bounds = np.array([1e-6, 1e9, 2e9])
    stretch_to(minor, more * minor, angle, short, longer * short, turn, 1e6, bounds, factors)
    first = np.array([factors[2], factors[3]])
    second = np.array([-first[1], first[0]])
    found = factors[0] * np.outer(first, first) + factors[1] * np.outer(second, second)
    have, want = matrix(minor, more * minor, angle), matrix(short, longer * short, turn)
    root = np.real(linalg.sqrtm(have))
    back = np.linalg.inv(root)
    np.testing.assert_allclose(
        found, back @ np.real(linalg.sqrtm(root @ want @ root)) @ back, rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(found @ have @ found, want, rtol=1e-6, atol=1e-9)
    points = np.random.default_rng(0).normal(size=(9, 2))
    moved = points.copy()
    stretch_polygon(moved, 0.3, -0.2, factors, 1.0)
    np.testing.assert_allclose(moved, (points - [0.3, -0.2]) @ found.T + [0.3, -0.2], atol=1e-9)


def test_a_stretch_keeps_its_bounds() -> None:
    factors = np.empty(4)
    floor = np.array([0.3, 0.1, 0.25])
    stretch_to(0.01, 0.04, 0.0, 0.0001, 1.0, 0.0, 1.35, floor, factors)
    np.testing.assert_allclose(sorted(factors[:2]), [0.3 + 0.65 * (0.2 - 0.1) / 0.15, 1.35])
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    points = np.stack([0.2 * np.sin(turn), 0.4 * np.cos(turn)], axis=1)
    stretch_polygon(points, 0.0, 0.0, factors, 0.5)
    _, _, _, _, minor, major, angle, _ = polygon_geometry(points)
    assert 2 * math.sqrt(major) == pytest.approx(0.4 * 1.175, rel=0.01)
    assert 2 * math.sqrt(minor) == pytest.approx(0.2 * (1 + 0.5 * (min(factors[:2]) - 1)), rel=0.01)
    assert abs(angle) < 1e-6


# --- what is drawn -----------------------------------------------------------------------------------


def test_what_rises_from_a_slope_alone_has_no_outline() -> None:
    """A mark beside a body, on its slope: nothing of its own is there, and nothing tiny is measured."""
    spacing = PixelSpacing(0.07, 0.07)
    rows, cols = np.indices((61, 61))
    image = (50 * np.exp(-((rows - 30) ** 2 + (cols - 30) ** 2) / 40)).astype(np.float32)
    image += np.random.default_rng(2).normal(0, 0.3, image.shape).astype(np.float32)
    shape = measure_shapes(image, np.full(9, 30.0), 34.0 + np.arange(9.0), spacing, scale_mm=0.06)
    known = np.isfinite(shape.diameter_mm)
    assert np.all(shape.diameter_mm[known] > BLUR_MM)
    assert not known.all()
    for values in shape.as_dict().values():
        assert np.isnan(values[~known]).all()


@pytest.mark.parametrize(("major", "minor"), [(0.25, 0.25), (0.4, 0.2), (0.6, 0.2), (0.8, 0.2)])
def test_axes_through_the_whole_detector(major: float, minor: float) -> None:
    body = ellipses.ellipse(major, minor)
    found = ellipses.summary(ellipses.measured(body, (0.07, 0.07), 20, bodies=25), body)
    assert found["found"] > 0.9
    assert abs(found["major, median"] - 1) < 0.15
    assert abs(found["minor, median"] - 1) < (0.3 if minor < 0.21 else 0.15)
    if major >= 3 * minor:
        assert found["aspect, median"] > 0.8 * major / minor
        assert found["direction"] < 5
        assert found["twice as long"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("pixel", ellipses.PIXELS_MM)
@pytest.mark.parametrize("snr", [10, 20])
@pytest.mark.parametrize(
    ("major", "minor"), [(0.2, 0.2), (0.3, 0.3), (0.45, 0.15), (0.6, 0.2), (0.8, 0.2), (0.9, 0.3)]
)
def test_axes_at_every_pixel(major: float, minor: float, snr: float, pixel: tuple[float, float]) -> None:
    body = ellipses.ellipse(major, minor)
    found = ellipses.summary(ellipses.measured(body, pixel, snr, bodies=64), body)
    clear = snr > 10
    # At an SNR of 10 noise widens what is a few pixels wide: the bounds there are what was reached.
    wide = minor >= 3 * max(pixel)
    assert abs(found["major, median"] - 1) < (0.15 if clear else 0.2 if major > minor else 0.35)
    assert abs(found["minor, median"] - 1) < (
        0.15 if wide and clear else 0.2 if wide else 0.3 if clear else 0.35
    )
    if major >= 3 * minor:
        assert found["aspect, median"] > 2.4
        assert found["direction"] < (5 if clear else 6.5)
