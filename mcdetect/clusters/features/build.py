"""All features of all groups of an image, by the names of the columns they fill."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mcdetect.clusters.features.axes import angle_to_line, axis_measures
from mcdetect.clusters.features.concave import concave_area
from mcdetect.clusters.features.hull import hull_measures
from mcdetect.clusters.features.kinds import kind_fractions
from mcdetect.clusters.features.spread import group_spread
from mcdetect.clusters.features.topology import join_curves, join_many, topology_measures
from mcdetect.clusters.features.tree import spanning_tree, tree_measures
from mcdetect.kernels.spanning import spanning_net
from mcdetect.schema import MEASURES, SHAPE_MEASURES
from mcdetect.schema.spread import STATISTICS, has_log_bins

__all__ = ["build_features", "cluster_features"]

_Floats = npt.NDArray[np.float64]
_NEIGHBOUR_STATISTICS = ("mean", "sd", "cv", "iqr", "min", "max")

CROWD = 1000
"""Technical: members from which on no matrix of all pairs is made (time and memory): time then grows with the
square of the members, memory with the members. Findings have at most some hundred."""


def cluster_features(
    row_mm: npt.ArrayLike, col_mm: npt.ArrayLike, diameter_mm: npt.ArrayLike | None = None
) -> dict[str, float]:
    """Measure where the members of one group lie.

    Parameters
    ----------
    row_mm, col_mm : (n,) array-like of float
        Centres of the members, in mm; n at least 1.
    diameter_mm : (n,) array-like of float, optional
        Diameters, from which the members are dilated; points by default, and where not finite.

    Returns
    -------
    dict of str to float
        The columns of `mcdetect.schema.CLUSTERS` that depend on nothing else: see
        `mcdetect.clusters.features.hull.hull_measures`, `concave_area`, `axis_measures`, `tree_measures` and
        `topology_measures`.
    """
    points = np.column_stack([np.asarray(row_mm, dtype=np.float64), np.asarray(col_mm, dtype=np.float64)])
    if len(points) == 0:
        raise ValueError("a group has at least one member")
    diameter = np.zeros(len(points)) if diameter_mm is None else np.asarray(diameter_mm, dtype=np.float64)
    return _placement(points, diameter)[0]


def _distances(points: _Floats) -> _Floats:
    step = points[:, None, :] - points[None, :, :]
    return np.hypot(step[..., 0], step[..., 1])


def _placement(points: _Floats, diameter_mm: _Floats) -> tuple[dict[str, float], _Floats]:
    """Return the features of a group's place, and the distance of each member to the nearest other."""
    if len(points) > CROWD:
        nearest = np.asarray(cKDTree(points).query(points, k=2)[0], np.float64)[:, 1]
        length = np.empty(len(points) - 1)
        spanning_net(points, np.zeros(len(points)), np.empty((len(points) - 1, 2), np.int64), length)
        curves = join_many(points, diameter_mm)
    else:
        distance = _distances(points)
        nearest = _nearest(distance)
        _, length = spanning_tree(distance)
        curves = join_curves(distance, diameter_mm)
    points = points - points.mean(axis=0)
    return {
        **hull_measures(points),
        "concave_area_mm2": concave_area(points, float(length.max(initial=0.0))),
        **axis_measures(points),
        **tree_measures(length),
        **topology_measures(curves),
    }, nearest


def _nearest(distance: _Floats) -> _Floats:
    """Distance of each member to the nearest other; NaN for a single one."""
    if len(distance) < 2:
        return np.full(len(distance), np.nan)
    apart = distance.copy()
    np.fill_diagonal(apart, np.inf)
    nearest: _Floats = apart.min(axis=1)
    return nearest


def build_features(
    label: npt.ArrayLike,
    row_mm: npt.ArrayLike,
    col_mm: npt.ArrayLike,
    measures: Mapping[str, npt.ArrayLike],
    skin_distance_mm: npt.ArrayLike,
    in_pectoral: npt.ArrayLike,
    *,
    nipple_mm: tuple[float, float] | None = None,
    chest_distance_mm: npt.ArrayLike | None = None,
    depth_fraction: npt.ArrayLike | None = None,
    tissue_density: npt.ArrayLike | None = None,
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
    nipple_mm : (float, float), optional
        Where the nipple is (row, col), in mm.
    chest_distance_mm, depth_fraction, tissue_density : (g,) array-like of float, optional
        Distance of each group's centroid to the chest wall in mm, its depth (0 at the skin, 1 at the
        chest wall) and the rank of the tissue's brightness there (0 to 1). NaN when not given.

    Returns
    -------
    dict of str to (g,) array
        The columns of `mcdetect.schema.CLUSTERS` from hull_area_mm2 on, by name; entry k is group k + 1.
        Values that are not defined are NaN; `mcdetect.feature_dictionary` says what each one is.

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
    positions = {
        "skin_distance_mm": skin_distance_mm,
        "chest_distance_mm": chest_distance_mm,
        "depth_fraction": depth_fraction,
        "tissue_density": tissue_density,
    }
    position = {name: _per_group(name, array, n_groups) for name, array in positions.items()}
    grouped = group > 0
    count = np.bincount(group[grouped] - 1, minlength=n_groups)
    if (group < 0).any() or (count == 0).any():
        raise ValueError("labels must be 0 or numbers from 1 without gaps")

    order = np.argsort(group, kind="stable")[group.size - int(grouped.sum()) :]
    nearest = np.full(group.size, np.nan)
    names = (*cluster_features([0.0], [0.0]), *_to_nipple(np.zeros(2), math.nan, None))
    where: dict[str, _Floats] = {name: np.empty(n_groups) for name in names}
    for k, members in enumerate(np.split(order, np.cumsum(count)[:-1]) if n_groups else []):
        found, nearest[members] = _placement(points[members], values["diameter_mm"][members])
        found |= _to_nipple(points[members].mean(axis=0), found["axis_deg"], nipple_mm)
        for name, value in found.items():
            where[name][k] = value

    features: dict[str, npt.NDArray[np.float64] | npt.NDArray[np.bool_]] = {**where, **position}
    spread = group_spread(group, nearest, n_groups)
    features |= {f"nn_distance_mm_{statistic}": spread[statistic] for statistic in _NEIGHBOUR_STATISTICS}
    in_muscle = np.bincount(group[grouped & muscle] - 1, minlength=n_groups)
    features["in_pectoral"] = 2 * in_muscle > count
    features |= kind_fractions(
        group, values["aspect"], values["circularity"], values["diameter_mm"], n_groups
    )
    for measure in MEASURES:
        if not measure.spread:
            continue
        spread = group_spread(
            group,
            values[measure.name],
            n_groups,
            worst_is_low=measure.worst == "lowest",
            log_bins=has_log_bins(measure.column.unit),
        )
        features |= {f"{measure.name}_{statistic}": spread[statistic] for statistic in STATISTICS}
    return features


def _per_group(name: str, given: npt.ArrayLike | None, n_groups: int) -> _Floats:
    array = np.full(n_groups, np.nan) if given is None else np.asarray(given, dtype=np.float64)
    if array.shape != (n_groups,):
        raise ValueError(f"{name} must have one entry for each of {n_groups} groups, got {array.shape}")
    return array


def _to_nipple(centroid: _Floats, axis_deg: float, nipple_mm: tuple[float, float] | None) -> dict[str, float]:
    """Distance of a group to the nipple, and the angle of its axis to the line between them."""
    if nipple_mm is None:
        return {"nipple_distance_mm": math.nan, "axis_to_nipple_deg": math.nan}
    here = float(centroid[0]), float(centroid[1])
    return {
        "nipple_distance_mm": math.hypot(here[0] - nipple_mm[0], here[1] - nipple_mm[1]),
        "axis_to_nipple_deg": angle_to_line(axis_deg, here, nipple_mm),
    }
