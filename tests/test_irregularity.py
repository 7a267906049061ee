"""Roughness, moments, slope and rim of outlines against plain twins and known figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from mcdetect.kernels.irregularity import (
    HARMONICS,
    OUTLINE_POINTS,
    contour_slope,
    irregularity,
    rim_over_centre,
)


def plain_irregularity(points):
    closed = np.vstack([points, points[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = along[-1] * np.arange(OUTLINE_POINTS) / OUTLINE_POINTS
    row, col = (np.interp(at, along, closed[:, k]) for k in (0, 1))
    order = np.abs(np.fft.fftfreq(OUTLINE_POINTS, 1 / OUTLINE_POINTS))
    counts = (order > 0) & (order <= HARMONICS)
    spectrum, order = np.abs(np.fft.fft(col + 1j * row))[counts], order[counts]
    distance = np.hypot(row, col)
    off = distance - distance.mean()
    moments = (np.mean(off**4) ** 0.25 - np.mean(off**2) ** 0.5) / distance.mean()
    return 1.0 - np.sum(spectrum / order) / np.sum(spectrum), moments, along[-1]


@given(st.integers(5, 200), st.integers(0, 2**31), st.floats(0.0, 0.9))
@settings(max_examples=60)
def test_irregularity_equals_its_twin(corners, seed, rough):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = 1.0 + rough * rng.uniform(-1, 1, corners)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    fourier, moments, perimeter = plain_irregularity(points)
    found = irregularity(points, perimeter, 0.0, 0.0)
    np.testing.assert_allclose(found, (fourier, moments), rtol=1e-6, atol=1e-7)
    assert 0.0 <= found[0] < 1.0
    assert found[1] >= -1e-12


def star(lobes, depth, corners=720):
    angle = 2 * np.pi * np.arange(corners) / corners
    radius = 1.0 + depth * np.cos(lobes * angle)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def test_irregularity_of_known_figures():
    circle = irregularity(star(1, 0.0), 2 * math.pi, 0.0, 0.0)
    np.testing.assert_allclose(circle, 0.0, atol=1e-3)
    rising = [
        irregularity(s, plain_irregularity(s)[2], 0.0, 0.0) for s in (star(7, d) for d in (0.1, 0.2, 0.4))
    ]
    assert np.all(np.diff([0.0, *(fourier for fourier, _ in rising)]) > 0.03)
    assert np.all(np.diff([0.0, *(moments for _, moments in rising)]) > 0.003)
    # More lobes of the same depth are finer structure.
    few, many = (irregularity(s, plain_irregularity(s)[2], 0.0, 0.0)[0] for s in (star(4, 0.2), star(9, 0.2)))
    assert few < many


@given(st.integers(0, 2**31))
@settings(max_examples=25)
def test_slope_and_rim_equal_their_twins(seed):
    rng = np.random.default_rng(seed)
    window = ndi.gaussian_filter(rng.normal(size=(41, 41)), 2).astype(np.float32)
    points = np.array([20.3, 19.6]) + 6.0 * star(3, 0.2, 90)

    def value(place):
        return ndi.map_coordinates(window, np.asarray(place).T, order=1)

    side = np.roll(points, -1, axis=0) - points
    middle, length = points + 0.5 * side, np.hypot(*side.T)
    slope = [value(middle + step) - value(middle - step) for step in ([1, 0], [0, 1])]
    want = np.sum(length * np.hypot(*slope) / 2) / length.sum()
    assert contour_slope(window, points) == pytest.approx(want, rel=1e-4)
    centre, contrast = np.array([20.3, 19.6]), 1.0
    mean = {
        share: value(centre + share * (points - centre)).mean() + 2.0
        for share in (0, 0.2, 0.5, 0.6, 0.7, 0.8)
    }
    want = max(mean[s] for s in (0.5, 0.6, 0.7, 0.8)) / (0.5 * (mean[0] + mean[0.2]))
    assert rim_over_centre(window, points, *centre, -2.0, contrast) == pytest.approx(want, rel=1e-4)
