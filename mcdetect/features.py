"""What a group looks like: extent, density, spacing and the spread of its members' measures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.schema import SHAPE_MEASURES

__all__ = [
    "GROWTH_MM",
    "build_features",
    "cluster_features",
    "convex_hull",
    "group_spread",
    "smallest_rectangle",
]

_Floats = npt.NDArray[np.float64]

GROWTH_MM = 0.5
"""By how much a hull is grown before it divides the number of members."""

_FLAT = 1e-9  # a hull narrower than this fraction of its length is a line


def convex_hull(points: _Floats) -> _Floats:
    """Return the corners of the convex hull.

    Parameters
    ----------
    points : (n, 2) float64 array
        Points; may coincide or lie on a line.

    Returns
    -------
    (h, 2) float64 array
        Corners in order, without repetition; one for a single place, two for a line.

    Notes
    -----
    Monotone chain (Andrew 1979, doi:10.1016/0020-0190(79)90072-3).
    """
    ordered = np.unique(points, axis=0).tolist()
    if len(ordered) < 3:
        return np.array(ordered, dtype=np.float64).reshape(-1, 2)

    def chain(way: list[list[float]]) -> list[list[float]]:
        kept: list[list[float]] = []
        for p in way:
            while len(kept) >= 2:
                (ar, ac), (br, bc) = kept[-2], kept[-1]
                if (br - ar) * (p[1] - ac) - (bc - ac) * (p[0] - ar) > 0.0:
                    break
                kept.pop()
            kept.append(p)
        return kept

    return np.array(chain(ordered)[:-1] + chain(ordered[::-1])[:-1], dtype=np.float64)


def smallest_rectangle(corners: _Floats) -> tuple[float, float]:
    """Return the sides of the smallest rectangle around a convex polygon.

    Parameters
    ----------
    corners : (h, 2) float64 array
        Corners of the polygon, in order.

    Returns
    -------
    long, short : float
        Sides, in the unit of the corners; the smallest rectangle has one side along an edge
        of the polygon (Freeman and Shapira 1975, doi:10.1145/360881.360919).
    """
    if len(corners) < 2:
        return 0.0, 0.0
    edges = np.roll(corners, -1, axis=0) - corners
    edges /= np.hypot(edges[:, 0], edges[:, 1])[:, None]
    along = corners @ edges.T
    across = corners @ np.stack([-edges[:, 1], edges[:, 0]])
    length, width = np.ptp(along, axis=0), np.ptp(across, axis=0)
    best = int(np.argmin(length * width))
    one, two = float(length[best]), float(width[best])
    return max(one, two), min(one, two)


def cluster_features(row_mm: npt.ArrayLike, col_mm: npt.ArrayLike) -> dict[str, float]:
    """Measure where the members of one group lie.

    Parameters
    ----------
    row_mm, col_mm : (n,) array-like of float
        Centres of the members, in mm; n at least 1.

    Returns
    -------
    dict of str to float
        hull_area_mm2, density_per_cm2, hull_elongation and extent_mm, as in
        `mcdetect.schema.CLUSTERS`. The elongation is NaN when all members lie on one line.

    Notes
    -----
    The density divides by the area of the hull grown by `GROWTH_MM`, so that it is finite for any
    group: area + growth * perimeter + pi * growth² (Steiner's formula).
    """
    points = np.column_stack([np.asarray(row_mm, dtype=np.float64), np.asarray(col_mm, dtype=np.float64)])
    if len(points) == 0:
        raise ValueError("a group has at least one member")
    points -= points.mean(axis=0)
    corners = convex_hull(points)
    after = np.roll(corners, -1, axis=0)
    area = 0.5 * abs(float(np.sum(corners[:, 0] * after[:, 1] - after[:, 0] * corners[:, 1])))
    perimeter = float(np.hypot(*(after - corners).T).sum())
    grown = area + GROWTH_MM * perimeter + math.pi * GROWTH_MM**2
    long, short = smallest_rectangle(corners)
    return {
        "hull_area_mm2": area,
        "density_per_cm2": 100.0 * len(points) / grown,
        "hull_elongation": long / short if short > _FLAT * long else math.nan,
        "extent_mm": _diameter(corners),
    }


def _diameter(corners: _Floats) -> float:
    """Largest distance between two corners."""
    largest = 0.0
    for k in range(len(corners) - 1):
        step = corners[k + 1 :] - corners[k]
        largest = max(largest, float(np.max(step[:, 0] ** 2 + step[:, 1] ** 2)))
    return math.sqrt(largest)


def group_spread(label: npt.NDArray[np.int64], values: npt.ArrayLike, n_groups: int) -> dict[str, _Floats]:
    """Describe how a measure spreads within each group.

    Parameters
    ----------
    label : (n,) int64 array
        Group of each member, from 1; 0 for none.
    values : (n,) array-like of float
        The measure. Values that are not finite are left out.
    n_groups : int
        Number of groups.

    Returns
    -------
    dict of str to (n_groups,) float64 array
        "mean", "sd" (n - 1), "cv" (sd over mean), "iqr" (linear interpolation between order statistics),
        "min" and "max". Without any value all are NaN; with one, sd and cv are NaN and iqr is 0;
        cv is NaN when the mean is 0.
    """
    measured = np.asarray(values, dtype=np.float64)
    keep = (label > 0) & np.isfinite(measured)
    group, measured = label[keep] - 1, measured[keep]
    order = np.lexsort((measured, group))
    group, measured = group[order], measured[order]
    count = np.bincount(group, minlength=n_groups)
    start = np.cumsum(count) - count
    some, several = count > 0, count > 1

    def over(top: npt.NDArray[Any], bottom: npt.NDArray[Any], where: npt.NDArray[np.bool_]) -> _Floats:
        result: _Floats = np.divide(top, bottom, out=np.full(n_groups, np.nan), where=where)
        return result

    def at(share: float) -> _Floats:
        result = np.full(n_groups, np.nan)
        place = share * (count[some] - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, count[some] - 1)
        first, second = measured[start[some] + low], measured[start[some] + high]
        result[some] = first + (place - low) * (second - first)
        return result

    mean = over(np.bincount(group, weights=measured, minlength=n_groups), count, some)
    squares = np.bincount(group, weights=(measured - mean[group]) ** 2, minlength=n_groups)
    sd = np.sqrt(over(squares, count - 1, several))
    return {
        "mean": mean,
        "sd": sd,
        "cv": over(sd, mean, several & (mean != 0.0)),
        "iqr": at(0.75) - at(0.25),
        "min": at(0.0),
        "max": at(1.0),
    }


def _nearest(points: _Floats) -> _Floats:
    """Distance of each point to the nearest other; NaN for a single point."""
    if len(points) < 2:
        return np.full(len(points), np.nan)
    distance = np.asarray(cKDTree(points).query(points, k=2)[0], dtype=np.float64)
    return distance[:, 1]


def build_features(
    label: npt.ArrayLike,
    row_mm: npt.ArrayLike,
    col_mm: npt.ArrayLike,
    measures: Mapping[str, npt.ArrayLike],
    skin_distance_mm: npt.ArrayLike,
    in_pectoral: npt.ArrayLike,
) -> dict[str, npt.NDArray[np.float64] | npt.NDArray[np.bool_]]:
    """Measure all groups of an image.

    Parameters
    ----------
    label : (n,) array-like of int
        Group of each calcification, 1 to g, each with at least one member; 0 for none.
    row_mm, col_mm : (n,) array-like of float
        Centres of the calcifications, in mm.
    measures : mapping of str to (n,) array-like of float
        One entry for each of `mcdetect.schema.SHAPE_MEASURES`; others are passed over. Members whose
        measure is not finite are left out of that measure's statistics.
    skin_distance_mm : (g,) array-like of float
        Distance of each group's centroid to the skin line, in mm.
    in_pectoral : (n,) array-like of bool
        Whether each calcification lies on the pectoral muscle. A group does when more than half of
        its members do.

    Returns
    -------
    dict of str to (g,) array
        The columns of `mcdetect.schema.CLUSTERS` from hull_area_mm2 on, by name; entry k is group k + 1.
        Values that are not defined are NaN: see `cluster_features` and `group_spread`.

    Raises
    ------
    ValueError
        When a measure is missing, a group has no member or lengths differ.
    """
    group = np.asarray(label, dtype=np.int64)
    points = np.column_stack([np.asarray(row_mm, dtype=np.float64), np.asarray(col_mm, dtype=np.float64)])
    muscle = np.asarray(in_pectoral, dtype=np.bool_)
    n_groups = int(group.max(initial=0))
    missing = [name for name in SHAPE_MEASURES if name not in measures]
    if missing:
        raise ValueError(f"no values for the measures {missing}")
    values = {name: np.asarray(measures[name], dtype=np.float64) for name in SHAPE_MEASURES}
    if any(array.shape != group.shape for array in (*values.values(), points[:, 0], muscle)):
        raise ValueError("label, row_mm, col_mm, in_pectoral and all measures must be 1-D and of one length")
    skin = np.asarray(skin_distance_mm, dtype=np.float64)
    if skin.shape != (n_groups,):
        raise ValueError(
            f"skin_distance_mm must have one entry for each of {n_groups} groups, got {skin.shape}"
        )
    grouped = group > 0
    count = np.bincount(group[grouped] - 1, minlength=n_groups)
    if (group < 0).any() or (count == 0).any():
        raise ValueError("labels must be 0 or numbers from 1 without gaps")

    order = np.argsort(group, kind="stable")[group.size - int(grouped.sum()) :]
    nearest = np.full(group.size, np.nan)
    where = {name: np.empty(n_groups) for name in cluster_features([0.0], [0.0])}
    for k, members in enumerate(np.split(order, np.cumsum(count)[:-1]) if n_groups else []):
        for name, value in cluster_features(points[members, 0], points[members, 1]).items():
            where[name][k] = value
        nearest[members] = _nearest(points[members])

    features: dict[str, npt.NDArray[np.float64] | npt.NDArray[np.bool_]] = dict(where)
    for statistic, spread in group_spread(group, nearest, n_groups).items():
        features[f"nn_distance_mm_{statistic}"] = spread
    features["skin_distance_mm"] = skin
    in_muscle = np.bincount(group[grouped & muscle] - 1, minlength=n_groups)
    features["in_pectoral"] = 2 * in_muscle > count
    for name, array in values.items():
        spreads = group_spread(group, array, n_groups)
        for statistic in ("mean", "sd", "cv", "iqr"):
            features[f"{name}_{statistic}"] = spreads[statistic]
    return features
