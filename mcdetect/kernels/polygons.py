"""Geometry of one closed polygon: area, length, moments and convex hull."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["hull_area", "polygon_geometry", "stretch_polygon", "stretch_to"]

_Floats = npt.NDArray[np.float64]


@kernel(inline=True)
def _turn(points: _Floats, a: int, b: int, c: int) -> float:
    ahead = (points[b, 0] - points[a, 0]) * (points[c, 1] - points[a, 1])
    return float(ahead - (points[b, 1] - points[a, 1]) * (points[c, 0] - points[a, 0]))


@kernel(inline=True)
def _order(points: _Floats) -> npt.NDArray[np.int64]:
    """Order of points by (row, col); Shell's method, which compiles faster than two stable sorts."""
    n = points.shape[0]
    order = np.arange(n)
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(gap, n):
            moved = order[k]
            m = k
            while m >= gap:
                other = order[m - gap]
                if points[other, 0] < points[moved, 0] or (
                    points[other, 0] == points[moved, 0] and points[other, 1] <= points[moved, 1]
                ):
                    break
                order[m] = other
                m -= gap
            order[m] = moved
        gap //= 3
    return order


@kernel(inline=True)
def hull_area(points: _Floats) -> float:
    """Area of the convex hull of points.

    Parameters
    ----------
    points : (n, 2) float64 array
        Points (row, col), n at least 1.

    Returns
    -------
    float
        Area, in the squared unit of the points; monotone chain (Andrew 1979,
        doi:10.1016/0020-0190(79)90072-3).
    """
    n = points.shape[0]
    order = _order(points)
    chain = np.empty(2 * n + 1, np.int64)
    size, least = 0, 2
    for k in range(2 * n - 1):  # there, and back
        if k == n:
            least = size + 1
        point = order[min(k, 2 * n - 2 - k)]
        while size >= least and _turn(points, chain[size - 2], chain[size - 1], point) <= 0.0:
            size -= 1
        chain[size] = point
        size += 1
    twice = 0.0
    for k in range(size - 1):
        a, b = chain[k], chain[k + 1]
        twice += points[a, 0] * points[b, 1] - points[b, 0] * points[a, 1]
    return abs(0.5 * twice)


@kernel
def polygon_geometry(
    points: _Floats,
) -> tuple[float, float, float, float, float, float, float, float]:
    """Measure a simple closed polygon.

    Parameters
    ----------
    points : (n, 2) float64 array
        Corners (row, col) in order, in mm.

    Returns
    -------
    area, perimeter, row, col, minor, major, angle, hull_area : float
        Area in mm2; length in mm; centroid in mm; second central moments along the minor and the major
        axis in mm2; angle of the major axis in radians, -pi/2 to pi/2, from the direction of rising
        columns towards falling rows (counter-clockwise as displayed), NaN when both moments
        are equal; area of the convex hull in mm2. Moments are those of the filled polygon (Green's theorem).
    """
    n = points.shape[0]
    base_row, base_col = points[0, 0], points[0, 1]
    twice = 0.0
    perimeter = 0.0
    m_r, m_c, m_rr, m_cc, m_rc = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        r0, c0 = points[k, 0] - base_row, points[k, 1] - base_col
        m = k + 1 if k + 1 < n else 0
        r1, c1 = points[m, 0] - base_row, points[m, 1] - base_col
        perimeter += math.hypot(r1 - r0, c1 - c0)
        cross = r0 * c1 - r1 * c0
        twice += cross
        m_r += cross * (r0 + r1)
        m_c += cross * (c0 + c1)
        m_rr += cross * (r0 * r0 + r0 * r1 + r1 * r1)
        m_cc += cross * (c0 * c0 + c0 * c1 + c1 * c1)
        m_rc += cross * (r0 * c1 + 2.0 * (r0 * c0 + r1 * c1) + r1 * c0)
    area = 0.5 * twice
    if area == 0.0:
        nan = math.nan
        return 0.0, perimeter, nan, nan, nan, nan, nan, 0.0
    row, col = m_r / (6.0 * area), m_c / (6.0 * area)
    v_rr = m_rr / (12.0 * area) - row * row
    v_cc = m_cc / (12.0 * area) - col * col
    v_rc = m_rc / (24.0 * area) - row * col
    mean = 0.5 * (v_rr + v_cc)
    spread = math.hypot(0.5 * (v_cc - v_rr), v_rc)
    angle = math.nan
    if spread > 1e-9 * mean:
        angle = 0.5 * math.atan2(-2.0 * v_rc, v_cc - v_rr)
    minor = max(mean - spread, 0.0)
    return (
        abs(area),
        perimeter,
        row + base_row,
        col + base_col,
        minor,
        mean + spread,
        angle,
        hull_area(points),
    )


@kernel(inline=True)
def stretch_to(
    minor: float,
    major: float,
    angle: float,
    short: float,
    long: float,
    turn: float,
    most: float,
    floor: _Floats,
    out: _Floats,
) -> None:
    """Stretch, along two directions at right angles, that gives a figure other second moments.

    Parameters
    ----------
    minor, major, angle : float
        Second moments of the figure, and direction of its long axis, as `polygon_geometry` returns them.
    short, long, turn : float
        The same as they are wanted; all moments positive.
    most : float
        Greatest factor along any direction.
    floor : (3,) float64 array
        Least factor: `floor[0]` along directions in which the figure's half axis is at most `floor[1]`,
        rising to 0.95 where it is `floor[2]` and more.
    out : (4,) float64 array
        Written: the two factors, and the (row, col) components of the direction of the first.

    Notes
    -----
    The symmetric matrix A = C^(-1/2) (C^(1/2) W C^(1/2))^(1/2) C^(-1/2) takes moments C to W = A C A
    without turning anything more than it must; its eigenvalues are the factors.
    """
    cos, sin = math.cos(angle), -math.sin(angle)  # of the long axis, along (col, row)
    # In the frame of the figure's axes: the moments wanted, between its roots.
    off = turn - angle
    along, aside = math.cos(off), math.sin(off)
    w_xx = long * along * along + short * aside * aside
    w_yy = long * aside * aside + short * along * along
    w_xy = (long - short) * along * aside
    p, q = math.sqrt(major), math.sqrt(minor)
    m_xx, m_yy, m_xy = p * w_xx * p, q * w_yy * q, p * w_xy * q
    det = math.sqrt(max(m_xx * m_yy - m_xy * m_xy, 0.0))
    scale = math.sqrt(m_xx + m_yy + 2.0 * det)
    a_xx, a_yy, a_xy = (m_xx + det) / scale / (p * p), (m_yy + det) / scale / (q * q), m_xy / scale / (p * q)
    mean, half = 0.5 * (a_xx + a_yy), math.hypot(0.5 * (a_xx - a_yy), a_xy)
    phi = 0.5 * math.atan2(2.0 * a_xy, a_xx - a_yy) if half > 1e-12 * mean else 0.0
    for k in range(2):
        value = mean + half if k == 0 else mean - half
        c, s = math.cos(phi), math.sin(phi)
        if k == 1:
            c, s = -s, c
        axis = 2.0 * math.sqrt(major * c * c + minor * s * s)
        share = min(max((axis - floor[1]) / (floor[2] - floor[1]), 0.0), 1.0)
        out[k] = min(max(value, floor[0] + share * (0.95 - floor[0])), most)
    # The frame's second axis points to falling rows, as angles are counted.
    out[2] = math.cos(phi) * sin - math.sin(phi) * cos
    out[3] = math.cos(phi) * cos + math.sin(phi) * sin


@kernel(inline=True)
def stretch_polygon(points: _Floats, row: float, col: float, factors: _Floats, share: float) -> None:
    """Stretch a polygon about a point, in place.

    Parameters
    ----------
    points : (n, 2) float64 array
        Corners (row, col).
    row, col : float
        What stays in place.
    factors : (4,) float64 array
        As `stretch_to` writes them.
    share : float
        From 0, nothing, to 1, wholly.
    """
    first, second = share * (factors[0] - 1.0), share * (factors[1] - 1.0)
    down, right = factors[2], factors[3]
    for k in range(points.shape[0]):
        y, x = points[k, 0] - row, points[k, 1] - col
        along, aside = first * (y * down + x * right), second * (x * down - y * right)
        points[k, 0] += along * down - aside * right
        points[k, 1] += along * right + aside * down
