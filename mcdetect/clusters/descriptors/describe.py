"""All descriptors of an image's groups: the one entry to this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mcdetect.clusters.descriptors.benign import BENIGN_KINDS, BenignKinds, describe_benign
from mcdetect.clusters.descriptors.casting import describe_casting
from mcdetect.clusters.descriptors.distribution import DISTRIBUTIONS, Distribution, describe_distribution
from mcdetect.clusters.descriptors.extent import Extent, describe_extent
from mcdetect.clusters.descriptors.morphology import (
    MORPHOLOGIES,
    Morphology,
    describe_morphology,
    read_members,
)
from mcdetect.clusters.descriptors.vessels import Vessels, find_vessels, judge_groups
from mcdetect.clusters.reach import links_within

__all__ = ["ClusterDescription", "ImageDescription", "describe_clusters"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

# Standard: BI-RADS, 5th edition (2013): a group ends at 2 cm.
REGION_GAP_MM = 20.0
"""Flagged groups at most this far apart are foci of one region: 2 cm is where BI-RADS ends a group."""

# Judged: on drawn groups of every kind. Larger gaps keep a sparse finding whole, and join what differs.
PATTERN_GAP_MM = 8.0
"""Groups at most this far apart are judged as one distribution: pieces of one segment, say."""
CONTEXT_GAP_MM = 10.0  # calcifications linked over at most this are one crowd
_CONTEXT_SPACING = 0.5  # nearest distances in a group over those around it: above, it is no group of its own
_LEAST_PATTERN = 3  # members from which on a group has a pattern
_STRAGGLER, _STRAGGLER_ROUNDS = 2.0, 3  # reach of a group in its own spacings, and how often it grows by that
_LEAST_SCATTER = 10  # calcifications outside findings from which on their scatter is described


@dataclass(frozen=True)
class ClusterDescription:
    """What one group is called, and the numbers that led to it.

    Parameters
    ----------
    distribution : Distribution
        Of the group with the groups that continue it.
    morphology : Morphology
    benign : BenignKinds
    casting : float
        How far it is of the casting type, 0 to 1.
    extent : Extent
        Of the region that it is a focus of.
    """

    distribution: Distribution
    morphology: Morphology
    benign: BenignKinds
    casting: float
    extent: Extent


@dataclass(frozen=True)
class ImageDescription:
    """Descriptions of all groups of an image.

    Parameters
    ----------
    clusters : tuple of ClusterDescription
        Entry k is group k + 1.
    vessels : Vessels
        Calcified arteries; `vessels.grade` has one value per calcification.
    scatter : Distribution or None
        Of the calcifications outside flagged groups and arteries; None below ten of them.
    """

    clusters: tuple[ClusterDescription, ...]
    vessels: Vessels
    scatter: Distribution | None

    def columns(self) -> dict[str, npt.NDArray[np.generic] | list[str]]:
        """Return the descriptions by column of `mcdetect.schema.CLUSTERS`, one value per group."""
        of = self.clusters
        flat: dict[str, npt.NDArray[np.generic] | list[str]] = {
            "distribution": [c.distribution.best for c in of],
            "morphology": [c.morphology.best for c in of],
            "benign_kind": [c.benign.best for c in of],
            "casting_type": np.array([c.casting for c in of], np.float64),
            "region_id": np.array([c.extent.region_id for c in of], np.int64),
            "n_foci": np.array([c.extent.n_foci for c in of], np.int64),
        }
        numbers = {
            f"distribution_{name}": [getattr(c.distribution, name) for c in of] for name in DISTRIBUTIONS
        }
        numbers |= {
            "distribution_n": [c.distribution.shape.n for c in of],
            "distribution_extent_mm": [c.distribution.shape.extent_mm for c in of],
            "distribution_gap_share": [c.distribution.shape.gap_share for c in of],
            "distribution_aspect": [c.distribution.shape.aspect for c in of],
            "distribution_wedge_ratio": [c.distribution.shape.wedge_ratio for c in of],
            "distribution_wedge_aim_deg": [c.distribution.shape.wedge_aim_deg for c in of],
            "distribution_breast_share": [c.distribution.breast_share for c in of],
        }
        numbers |= {f"morphology_{name}": [getattr(c.morphology, name) for c in of] for name in MORPHOLOGIES}
        for name in ("heterogeneity", "size_spread", "aspect_spread", "contrast_spread"):
            numbers[name] = [getattr(c.morphology, name) for c in of]
        numbers |= {f"benign_{name}": [getattr(c.benign, name) for c in of] for name in BENIGN_KINDS}
        numbers["benign_share"] = [c.benign.share for c in of]
        numbers |= {
            "region_extent_mm": [c.extent.extent_mm for c in of],
            "region_area_mm2": [c.extent.area_mm2 for c in of],
            "region_nipple_distance_mm": [c.extent.nipple_mm for c in of],
            "region_skin_distance_mm": [c.extent.skin_mm for c in of],
            "region_chest_distance_mm": [c.extent.chest_mm for c in of],
        }
        return flat | {name: np.array(values, np.float64) for name, values in numbers.items()}


def describe_clusters(
    label: npt.ArrayLike,
    row_mm: npt.ArrayLike,
    col_mm: npt.ArrayLike,
    measures: Mapping[str, npt.ArrayLike],
    pixel_mm: float,
    *,
    flagged: npt.ArrayLike | None = None,
    nipple_mm: tuple[float, float] | None = None,
    breast_area_mm2: float | None = None,
    arterial: npt.ArrayLike | None = None,
) -> ImageDescription:
    """Describe the groups of an image in the words of BI-RADS.

    Parameters
    ----------
    label : (n,) array-like of int
        Group of each calcification, 1 to g, each with at least one member; 0 for none.
    row_mm, col_mm : (n,) array-like of float
        Centres of all calcifications, in mm.
    measures : mapping of str to (n,) array-like of float
        Measures by the names of `mcdetect.schema.CALCIFICATIONS`: diameter_mm, eccentricity (or
        major_axis_mm and minor_axis_mm), orientation_deg, circularity, contrast, snr,
        edge_sharpness_per_mm, rim_ratio, skin_distance_mm; and chest_distance_mm and line (share of its
        contrast that a line through a calcification keeps on both sides). What is missing or not finite is
        taken as unknown.
    pixel_mm : float
        Pixel size, in mm (the larger of rows and columns): what form it carries depends on it.
    flagged : (g,) array-like of bool, optional
        Which groups count as findings; by default those of five or more.
    nipple_mm : (float, float), optional
        (row, col) of the nipple, in mm, measured as the centres are.
    breast_area_mm2 : float, optional
        Area of the breast, in mm2.
    arterial : (n,) array-like of bool, optional
        Which calcifications are known to lie on an artery, each artery a group of its own.

    Returns
    -------
    ImageDescription
        Every membership is finite; measures that are not defined are NaN.
    """
    group = np.asarray(label, dtype=np.int64)
    row, col = np.asarray(row_mm, dtype=np.float64), np.asarray(col_mm, dtype=np.float64)
    n = group.size
    if group.ndim != 1 or row.shape != group.shape or col.shape != group.shape:
        raise ValueError("label, row_mm and col_mm must be 1-D and of one length")
    if not (np.isfinite(row).all() and np.isfinite(col).all()):
        raise ValueError("row_mm and col_mm must be finite")
    if not (np.isfinite(pixel_mm) and pixel_mm > 0):
        raise ValueError(f"pixel_mm must be finite and positive, got {pixel_mm}")
    n_groups = int(group.max(initial=0))
    count = np.bincount(group[group > 0] - 1, minlength=n_groups)
    if (group < 0).any() or (count == 0).any():
        raise ValueError("labels must be 0 or numbers from 1 without gaps")
    finding = count >= 5 if flagged is None else np.asarray(flagged, dtype=np.bool_)
    if finding.shape != (n_groups,):
        raise ValueError(f"flagged must have one entry for each of {n_groups} groups, got {finding.shape}")

    def known(name: str) -> _Floats | None:
        return np.asarray(measures[name], dtype=np.float64) if name in measures else None

    vessels = find_vessels(row, col, known("orientation_deg"), known("eccentricity"), known("line"))
    if arterial is not None:
        vessels = replace(vessels, grade=np.where(np.asarray(arterial, np.bool_), 1.0, vessels.grade))
    unknown = np.full(n, np.nan)
    skin, chest = known("skin_distance_mm"), known("chest_distance_mm")
    skin = unknown if skin is None else skin
    chest = unknown if chest is None else chest
    points = np.column_stack([row, col])
    inside = [group == k + 1 for k in range(n_groups)]
    on_artery, stretch = judge_groups(vessels.grade, inside)
    members = read_members(measures, n, on_artery)
    pattern = _joined(points, group, ~stretch & (finding | (count >= _LEAST_PATTERN)), PATTERN_GAP_MM)
    region = _joined(points, group, ~stretch & finding, REGION_GAP_MM)
    loose = ~np.isin(group, np.flatnonzero(finding) + 1) & (vessels.grade < 0.5)
    crowd = _crowds(points, vessels.grade < 0.5)

    described = []
    for k in range(n_groups):
        alike = np.isin(group, np.flatnonzero(pattern == pattern[k]) + 1)
        if not stretch[k]:
            alike = _with_stragglers(points, alike, loose)
            alike = _with_context(points, alike, crowd)
        distribution = describe_distribution(
            row[alike], col[alike], nipple_mm=nipple_mm, breast_area_mm2=breast_area_mm2
        )
        own = members.take(inside[k])
        morphology = describe_morphology(own, pixel_mm)
        foci = np.flatnonzero(region == region[k])
        there = np.isin(group, foci + 1)
        described.append(
            ClusterDescription(
                distribution=distribution,
                morphology=morphology,
                benign=describe_benign(own, morphology, skin[inside[k]]),
                casting=describe_casting(distribution, morphology),
                extent=describe_extent(
                    int(region[k]),
                    points[there],
                    foci.size,
                    nipple_mm=nipple_mm,
                    skin_distance_mm=skin[there],
                    chest_distance_mm=chest[there],
                ),
            )
        )
    scatter = None
    if np.count_nonzero(loose) >= _LEAST_SCATTER:
        scatter = describe_distribution(
            row[loose], col[loose], nipple_mm=nipple_mm, breast_area_mm2=breast_area_mm2
        )
    return ImageDescription(tuple(described), vessels, scatter)


def _joined(points: _Floats, group: _Ints, taking_part: npt.NDArray[np.bool_], gap_mm: float) -> _Ints:
    """Number, from 1 by the first group, sets of groups at most a gap apart; others stay alone."""
    n_groups = taking_part.size
    part = np.flatnonzero((group > 0) & np.concatenate([[False], taking_part])[group])
    links = np.zeros((0, 2), np.int64)
    if part.size > 1:
        pairs = group[part[links_within(points[part], gap_mm)]] - 1
        links = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n_groups, n_groups))
    if n_groups == 0:
        return np.zeros(0, np.int64)
    component = connected_components(graph, directed=False)[1]
    _, first, number = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(1, first.size + 1)
    return rank[number]


def _crowds(points: _Floats, taking_part: npt.NDArray[np.bool_]) -> _Ints:
    """Number the sets of calcifications linked over at most `CONTEXT_GAP_MM`, from 1; 0 for the rest."""
    crowd = np.zeros(len(points), np.int64)
    part = np.flatnonzero(taking_part)
    if part.size > 1:
        pairs = links_within(points[part], CONTEXT_GAP_MM)
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(part.size, part.size))
        crowd[part] = connected_components(graph, directed=False)[1] + 1
    return crowd


def _with_stragglers(
    points: _Floats, alike: npt.NDArray[np.bool_], loose: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Add calcifications of no finding that lie no farther off than the group is sparse itself."""
    members = points[alike]
    if len(members) < _LEAST_PATTERN:
        return alike
    sparse = float(np.quantile(_to_nearest(members), 0.9))
    reach = min(_STRAGGLER * sparse, PATTERN_GAP_MM)
    grown = alike
    for _ in range(_STRAGGLER_ROUNDS):
        outside = np.flatnonzero(loose & ~grown)
        if outside.size == 0:
            break
        near = outside[cKDTree(points[grown]).query(points[outside])[0] <= reach]
        if near.size == 0:
            break
        grown = grown.copy()
        grown[near] = True
    return grown


def _with_context(points: _Floats, alike: npt.NDArray[np.bool_], crowd: _Ints) -> npt.NDArray[np.bool_]:
    """A group that is but a denser place among many others is judged with them (regional, diffuse)."""
    numbers = crowd[alike]
    if not (numbers > 0).any():
        return alike
    most = int(np.argmax(np.bincount(numbers[numbers > 0])))
    wider = alike | (crowd == most)
    if np.count_nonzero(wider) < 2 * np.count_nonzero(alike):
        return alike
    own, around = (_usual_spacing(points[chosen]) for chosen in (alike, wider & ~alike))
    return wider if own > _CONTEXT_SPACING * around else alike


def _usual_spacing(points: _Floats) -> float:
    """Median distance to the nearest other point, in mm; 0 for fewer than two."""
    return float(np.median(_to_nearest(points))) if len(points) > 1 else 0.0


def _to_nearest(points: _Floats) -> _Floats:
    """Distance of each of at least two points to the nearest other."""
    return np.asarray(cKDTree(points).query(points, k=2)[0], dtype=np.float64)[:, 1]
