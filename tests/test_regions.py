"""Kernels behind the outlines against plain twins."""

from __future__ import annotations

import heapq
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

from mcdetect.kernels.polygons import hull_area, polygon_geometry
from mcdetect.kernels.regions import BARRED, FOREIGN, OWN, flood, trace_outline
from mcdetect.kernels.shapes import RING, ring_level, smooth_window


def smooth_twin(image, centre, spacing, sigma, step, n):
    out = image.astype(np.float64)
    for axis in (0, 1):
        place = centre[axis] + (np.arange(n) - n // 2) * step / spacing[axis]
        pixel = np.arange(image.shape[axis])
        away = (pixel - place[:, None]) * spacing[axis] / sigma[axis]
        reach = math.ceil(3 * sigma[axis] / spacing[axis])
        near = np.abs(pixel - np.floor(place + 0.5)[:, None]) <= reach
        weight = np.where(near, np.exp(-0.5 * away**2), 0)
        total = weight.sum(axis=1, keepdims=True)
        weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        out = weight @ out if axis == 0 else out @ weight.T
    return out


@pytest.mark.parametrize("centre", [(30.0, 22.4), (0.0, 0.0), (59.3, 2.1), (60.4, 49.4)])
@pytest.mark.parametrize("spacing", [(0.07, 0.07), (0.05, 0.1)])
def test_smooth_window_equals_dense_weights(centre, spacing):
    image = np.random.default_rng(0).normal(size=(61, 50)).astype(np.float32)
    sigma = (0.06, 0.08)
    out = np.empty((41, 41), np.float32)
    smooth_window(image, *centre, *spacing, *sigma, 0.02, 41, out)
    np.testing.assert_allclose(out, smooth_twin(image, centre, spacing, sigma, 0.02, 41), atol=2e-6)


def test_smooth_window_keeps_a_constant():
    out = np.empty((21, 21), np.float32)
    smooth_window(np.full((9, 9), 3.5, np.float32), 0.0, 8.0, 0.1, 0.1, 0.07, 0.07, 0.02, 21, out)
    rows, cols = np.indices(out.shape) - 10
    inside = (rows * 0.2 > -0.5) & (cols * 0.2 < 0.5)
    np.testing.assert_allclose(out[inside], 3.5, rtol=1e-6)


def test_ring_level_equals_numpy():
    rng = np.random.default_rng(1)
    window = rng.normal(size=(61, 61)).astype(np.float32)
    label = np.where(rng.random((61, 61)) < 0.3, BARRED, 0).astype(np.int8)
    values = []
    for k in range(4):
        radius = 30 * (RING[0] + (RING[1] - RING[0]) * k / 3)
        for m in range(24):
            angle = 2 * math.pi * (m + 0.5 * (k % 2)) / 24
            r = 30 + math.floor(radius * math.sin(angle) + 0.5)
            c = 30 + math.floor(radius * math.cos(angle) + 0.5)
            if label[r, c] != BARRED:
                values.append(float(window[r, c]))
    median, spread = ring_level(window, label)
    assert 40 < len(values) < 96
    assert median == pytest.approx(np.median(values))
    assert spread == pytest.approx(1.4826 * np.median(np.abs(values - np.median(values))))
    assert np.isnan(ring_level(window, np.full((61, 61), BARRED, np.int8))).all()


def flood_twin(window, barred, start, level, depth):
    n = len(window)
    label = {start: OWN}
    heap = [(-window[start], start)]
    listed, mark, water = [start], 1, window[start]
    while heap and -heap[0][0] >= level:
        value, place = heapq.heappop(heap)
        value = -value
        lower = label[place] == OWN and value < water
        if lower:
            water = value
        elif label[place] == OWN and value > water + depth:
            for other in listed[mark:]:
                label[other] = FOREIGN
        r, c = place
        near = [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
        near = [p for p in near if 0 <= p[0] < n and 0 <= p[1] < n and not barred[p] and p not in label]
        near.sort(key=lambda p: window[p] > value)
        for p in near:
            if window[p] > value and lower:
                mark, lower = len(listed), False
            label[p] = label[place]
            listed.append(p)
            heapq.heappush(heap, (-window[p], p))
        if lower:
            mark = len(listed)
    return label


def run_flood(window, barred, start, level, depth):
    n = len(window)
    label = np.where(barred, BARRED, 0).astype(np.int8)
    scratch = np.empty(n * n, np.float32), np.empty(n * n, np.int64), np.empty(n * n, np.int64)
    count = flood(window, label, *start, level, depth, *scratch)
    return label, scratch[2][:count]


def bumpy(seed, n=31, smooth=1.5):
    field = ndi.gaussian_filter(np.random.default_rng(seed).normal(size=(n, n)), smooth)
    return (field / field.std()).astype(np.float32)


@given(st.integers(0, 10000), st.floats(-1.5, 1.5), st.sampled_from([0.01, 0.1, 0.5, 2.0]))
@settings(max_examples=100)
def test_flood_equals_plain_twin(seed, level, depth):
    window = bumpy(seed)
    barred = np.hypot(*(np.indices(window.shape) - 15)) > 14
    start = np.unravel_index(np.argmax(np.where(barred, -np.inf, window)), window.shape)
    start = (int(start[0]), int(start[1]))
    label, pushed = run_flood(window, barred, start, level, depth)
    twin = flood_twin(window, barred, start, level, depth)
    assert {(int(p) // 31, int(p) % 31) for p in pushed} == set(twin)
    assert all(label[place] == value for place, value in twin.items())
    assert (label[barred] == BARRED).all()


@given(st.integers(0, 10000), st.floats(-1, 1.5))
@settings(max_examples=60)
def test_flood_without_depth_limit_is_the_component(seed, level):
    window = bumpy(seed)
    start = np.unravel_index(np.argmax(window), window.shape)
    label, _ = run_flood(window, np.zeros_like(window, bool), start, level, np.inf)
    parts, _ = ndi.label(window >= level)
    np.testing.assert_array_equal((label == OWN) & (window >= level), parts == parts[start])


def test_flood_stops_at_the_saddle_of_a_brighter_neighbour():
    rows, cols = np.indices((61, 61))
    own = 1.0 * np.exp(-((rows - 30) ** 2 + (cols - 24) ** 2) / 50)
    other = 1.5 * np.exp(-((rows - 30) ** 2 + (cols - 40) ** 2) / 50)
    window = (own + other).astype(np.float32)
    label, _ = run_flood(window, np.zeros((61, 61), bool), (30, 24), 0.4, 0.1)
    assert label[30, 24] == OWN
    assert label[30, 40] == FOREIGN
    saddle = 24 + int(np.argmin(window[30, 24:40]))
    assert (label[30, 20:saddle] == OWN).all()
    assert (label[30, saddle + 1 : 45] == FOREIGN).all()
    label, _ = run_flood(window, np.zeros((61, 61), bool), (30, 24), 0.4, 2.0)
    assert label[30, 40] == OWN


def shoelace(points):
    after = np.roll(points, -1, axis=0)
    return 0.5 * abs(np.sum(points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]))


@given(st.integers(0, 10000), st.floats(-0.5, 1.5))
@settings(max_examples=80)
def test_outline_equals_scikit_image(seed, level):
    window = bumpy(seed, smooth=2.0)
    start = np.unravel_index(np.argmax(window), window.shape)
    label, pushed = run_flood(window, np.zeros_like(window, bool), start, level, np.inf)
    region = (label == OWN) & (window >= level)
    # The twin sees other regions mirrored below the level, and the same beyond the border.
    framed = np.pad(np.where(region | (window < level), window, 2 * level - window), 1, mode="edge")
    edge = np.ones_like(framed, bool)
    edge[1:-1, 1:-1] = False
    framed[edge] = np.where(framed[edge] >= level, 2 * level - framed[edge], framed[edge])
    contours = find_contours(framed, level, fully_connected="low")
    start_row = int(np.argmax(region.any(axis=1)))
    start_col = int(np.argmax(region[start_row]))
    out = np.empty((4 * region.sum(), 2))
    corners = trace_outline(window, label, level, start_row, start_col, out)
    found = out[:corners]
    # The outer outline is the contour of largest area among those round the region.
    around = [c[:-1] - 1 for c in contours if np.allclose(c[0], c[-1])]
    around = [c for c in around if np.min(np.hypot(*(c - found[0]).T)) < 1e-4]
    twin = max(around, key=shoelace)
    assert shoelace(found) == pytest.approx(shoelace(twin), rel=1e-4, abs=1e-4)
    lengths = [np.hypot(*(np.roll(c, -1, axis=0) - c).T).sum() for c in (found, twin)]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-4)
    assert len(pushed) >= region.sum()


def test_outline_of_one_point():
    window = np.zeros((5, 5), np.float32)
    window[2, 2] = 1
    label = np.zeros((5, 5), np.int8)
    label[2, 2] = OWN
    out = np.empty((4, 2))
    assert trace_outline(window, label, 0.5, 2, 2, out) == 4
    np.testing.assert_allclose(sorted(out.tolist()), [[1.5, 2], [2, 1.5], [2, 2.5], [2.5, 2]])


def star(seed, n):
    rng = np.random.default_rng(seed)
    angle = (np.arange(n) + rng.uniform(-0.4, 0.4, n)) * 2 * np.pi / n
    radius = rng.uniform(0.2, 1.0, n)
    points = np.column_stack([radius * np.sin(angle), 2 * radius * np.cos(angle)])
    return points[:: rng.choice([1, -1])] + rng.uniform(-100, 100, 2)


def polygon_twin(points):
    """Area, centroid and second central moments of a polygon as a sum of signed triangles."""
    base = points.mean(axis=0)
    first, second = points - base, np.roll(points, -1, axis=0) - base
    areas = 0.5 * np.linalg.det(np.stack([first, second], axis=1))
    area = areas.sum()
    middle = (first + second) / 3
    centroid = areas @ middle / area
    squares = sum(np.einsum("ki,kj->kij", p, p) for p in (first, second)) + 9 * np.einsum(
        "ki,kj->kij", middle, middle
    )
    moments = np.einsum("k,kij->ij", areas, squares) / 12 / area - np.outer(centroid, centroid)
    return abs(area), centroid + base, moments


@given(st.integers(0, 10000), st.integers(5, 60))
@settings(max_examples=100)
def test_polygon_equals_triangles_opencv_and_scipy(seed, n):
    points = star(seed, n)
    area, perimeter, row, col, minor, major, angle, hull = polygon_geometry(points)
    twin_area, centroid, moments = polygon_twin(points)
    assert area == pytest.approx(twin_area, rel=1e-9)
    np.testing.assert_allclose([row, col], centroid, atol=1e-9)
    contour = (points - points.mean(axis=0)).astype(np.float32).reshape(-1, 1, 2)
    assert area == pytest.approx(cv2.contourArea(contour), rel=1e-4)
    assert perimeter == pytest.approx(cv2.arcLength(contour, True), rel=1e-5)
    assert hull == pytest.approx(ConvexHull(points).volume, rel=1e-9)
    assert hull >= area * (1 - 1e-9)
    values, vectors = np.linalg.eigh(moments)
    np.testing.assert_allclose([minor, major], values, rtol=1e-7, atol=1e-10)
    if major > 1.01 * minor:
        down, right = vectors[:, 1]
        turn = (angle - math.atan2(-down, right)) % math.pi
        assert min(turn, math.pi - turn) < 1e-5


def test_polygon_without_area():
    area, perimeter, *rest, hull = polygon_geometry(np.array([[0.0, 0.0], [0.0, 3.0], [0.0, 1.0]]))
    assert (area, perimeter, hull) == (0, 6, 0)
    assert np.isnan(rest).all()


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=20))
@settings(max_examples=100)
def test_hull_of_repeated_and_collinear_points(points):
    points = np.array(points, dtype=float)
    flat = np.linalg.matrix_rank(points - points[0]) < 2
    assert hull_area(points) == pytest.approx(0 if flat else ConvexHull(points).volume)
