"""How a group is directed: its principal axis, and how far it departs from a line and a smooth curve."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["angle_to_line", "axis_measures"]

_Floats = npt.NDArray[np.float64]

# Technical: limits of computing.
_EQUAL = 1e-9
"""Two axes that differ by less than this share are equally long."""
_LEAST_FOR_LINE = 3  # members: fewer always lie on a line
_LEAST_FOR_CURVE = 4  # members: fewer always lie on a parabola


def axis_measures(points: _Floats) -> dict[str, float]:
    """Measure the direction of one group and how well it follows a line.

    Parameters
    ----------
    points : (n, 2) float64 array
        Centres (row, col) of the members in mm; n at least 1.

    Returns
    -------
    dict of str to float
        axis_deg: angle of the principal axis against the rows, counter-clockwise as displayed,
        above -90 to 90; NaN when no axis is longer. line_residual_mm: root mean square distance to
        the best straight line (that axis); NaN below three members. curve_residual_mm: the same to the
        best parabola along that axis, by the first-order distance; at most the former; NaN below four
        members.

    Notes
    -----
    Total least squares (Pearson 1901, doi:10.1080/14786440109462720); the distance to the parabola is
    the vertical one over sqrt(1 + slope²) (Sampson 1982, doi:10.1016/0146-664X(82)90101-0).
    """
    centred = points - points.mean(axis=0)
    v_rr, v_cc = float(np.mean(centred[:, 0] ** 2)), float(np.mean(centred[:, 1] ** 2))
    v_rc = float(np.mean(centred[:, 0] * centred[:, 1]))
    mean = 0.5 * (v_rr + v_cc)
    spread = math.hypot(0.5 * (v_cc - v_rr), v_rc)
    directed = spread > _EQUAL * mean and mean > 0.0
    angle = 0.5 * math.atan2(-2.0 * v_rc, v_cc - v_rr) if directed else 0.0
    sin, cos = math.sin(angle), math.cos(angle)
    along = centred[:, 1] * cos - centred[:, 0] * sin
    across = centred[:, 0] * cos + centred[:, 1] * sin
    n = len(points)
    line = math.sqrt(float(np.mean(across**2)))
    degrees = math.degrees(angle)
    return {
        "axis_deg": (degrees if degrees > -90.0 else 90.0) if directed else math.nan,
        "line_residual_mm": line if n >= _LEAST_FOR_LINE else math.nan,
        "curve_residual_mm": _bent(along, across, line) if n >= _LEAST_FOR_CURVE else math.nan,
    }


def _bent(along: _Floats, across: _Floats, line: float) -> float:
    """Root mean square distance to the best parabola; both coordinates centred and uncorrelated."""
    reach = float(np.abs(along).max())
    if reach == 0.0:
        return line
    u = along / reach
    # the square, without what a straight line explains of it
    tilt = float(np.sum(u**3) / np.sum(u**2))
    bow = u**2 - np.mean(u**2) - tilt * u
    power = float(np.sum(bow**2))
    if power <= 1e-12 * len(u):
        return line
    bend = float(np.sum(across * bow)) / power
    slope = bend * (2.0 * u - tilt) / reach
    residual = (across - bend * bow) / np.sqrt(1.0 + slope**2)
    return min(math.sqrt(float(np.mean(residual**2))), line)


def angle_to_line(axis_deg: float, from_mm: tuple[float, float], to_mm: tuple[float, float]) -> float:
    """Return the angle between an axis and the line through two places.

    Parameters
    ----------
    axis_deg : float
        Direction of the axis against the rows, counter-clockwise as displayed; may be NaN.
    from_mm, to_mm : (float, float)
        Places (row, col) in mm.

    Returns
    -------
    float
        0 to 90 degrees; NaN without a direction, or when both places are one.
    """
    up, right = from_mm[0] - to_mm[0], to_mm[1] - from_mm[1]
    if not math.hypot(up, right) > 0.0:
        return math.nan
    turn = abs(math.atan2(up, right) - math.radians(axis_deg)) % math.pi
    return math.degrees(min(turn, math.pi - turn))
