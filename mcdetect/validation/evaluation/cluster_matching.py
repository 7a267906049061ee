"""Matching rules for clusters: Kallergi 1999, centroid in region, and that of the DBTex challenge.

Under every rule a mark must lie in the slices of a true group, where both name slices of tomosynthesis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from mcdetect.validation.evaluation.cases import Bools, Floats, Ints, Marks, Points, Regions
from mcdetect.validation.evaluation.geometry import (
    bounding_box,
    box_area,
    circle_area,
    hull_area,
    in_hull,
)
from mcdetect.validation.evaluation.matching import HDOGREG_DISTANCE_MM, Matching, Pairs, in_dont_care, settle
from mcdetect.validation.evaluation.readers import TableError

__all__ = ["CLUSTER_RULES", "Cluster", "ClusterRule", "match_clusters", "true_clusters"]

# Standard: Kallergi, Carney and Gaviria, Med. Phys. 26 (1999) 267.
KALLERGI_AREA = (0.5, 4.0)  # detected over true area: least, most
KALLERGI_MEMBERS = 3  # true members that a detected group must hold
KALLERGI_NEIGHBOUR_MM = 10.0 * np.sqrt(2.0)  # distance of each to its nearest neighbour, below this

# Standard: the DBTex challenge (Konz et al., JAMA Netw. Open 2023, doi:10.1001/jamanetworkopen.2023.0524).
DBTEX_REACH_PX = 100.0  # between the centres, at least


@dataclass(frozen=True)
class Cluster:
    """A group of the truth.

    Attributes
    ----------
    image : int
    members : (k, 2) float64
        Its calcifications in mm; none where only a region was drawn.
    box_mm : (4,) float64 or None
        The region, when one was drawn (round a circle too).
    radius_mm : float
        Of the circle; not-a-number when it is none.
    ignore : bool
        Does not count.
    rows : tuple of int
        Rows of the truth table.
    slices : (float, float), optional
        First and last frame that it spans, where the truth states them.
    pixel_mm : float
        Pixel spacing of the image; not-a-number where it is not known.
    """

    image: int
    members: Floats
    box_mm: Floats | None
    radius_mm: float
    ignore: bool
    rows: tuple[int, ...]
    slices: tuple[float, float] | None = None
    pixel_mm: float = np.nan

    @property
    def centre_mm(self) -> Floats:
        """Centre of the region, else of the members; (2,)."""
        if self.box_mm is not None:
            return np.asarray((self.box_mm[:2] + self.box_mm[2:]) / 2.0)
        return np.asarray(self.members.mean(axis=0))

    def holds(self, places: Floats) -> Bools:
        """Tell which places lie in the region, else in the grown hull of the members; (n,) bool."""
        if self.box_mm is None:
            return in_hull(places, self.members)
        if np.isfinite(self.radius_mm):
            return np.asarray(np.hypot(*(places - self.centre_mm).T) <= self.radius_mm, dtype=bool)
        return np.asarray(((places >= self.box_mm[:2]) & (places <= self.box_mm[2:])).all(axis=1))


def true_clusters(
    points: Points, regions: Regions, *, min_members: int, min_snr: float | None = None
) -> list[Cluster]:
    """Gather the groups of the truth, sorted by image.

    Parameters
    ----------
    points : Points
        Those with a `cluster` form groups; those without belong to the region that holds them.
    regions : Regions
        Every region that is not to be ignored is a group; of the same `cluster` as points, it outlines
        them.
    min_members : int
        Groups known by fewer points do not count. Drawn groups without points always count.
    min_snr : float, optional
        Points of lower SNR are no members.
    """
    usable = ~points.ignore
    if min_snr is not None:
        usable &= ~(points.snr < min_snr)
    named: dict[tuple[int, str], list[int]] = {}
    for number in np.flatnonzero(points.cluster != ""):
        named.setdefault((int(points.image[number]), str(points.cluster[number])), []).append(int(number))
    found: list[Cluster] = []
    drawn: set[tuple[int, str]] = set()
    for number in np.flatnonzero(~regions.ignore):
        image, name = int(regions.image[number]), str(regions.cluster[number])
        outline = Cluster(
            image,
            np.zeros((0, 2)),
            regions.box_mm[number],
            float(regions.radius_mm[number]),
            False,
            (int(regions.row[number]),),
            _slices_of(regions, int(number)),
            float(regions.pixel_mm[number]) if len(regions.pixel_mm) else np.nan,
        )
        if name and (image, name) in drawn:
            raise TableError(
                f"cluster {name!r} of one image has two regions", "give every region a cluster of its own"
            )
        if name:
            drawn.add((image, name))
            own = named.get((image, name), [])
        else:
            k0, k1 = np.searchsorted(points.image, [image, image + 1])
            held = outline.holds(points.place_mm[k0:k1]) & (points.cluster[k0:k1] == "")
            own = (np.flatnonzero(held) + k0).tolist()
        found.append(_with_members(outline, own, points, usable, min_members))
    for (image, name), own in named.items():
        if (image, name) not in drawn:
            bare = Cluster(image, np.zeros((0, 2)), None, np.nan, False, ())
            found.append(_with_members(bare, own, points, usable, min_members))
    return sorted(found, key=lambda cluster: cluster.image)


def _slices_of(regions: Regions, number: int) -> tuple[float, float] | None:
    first, last = regions.slices[number] if len(regions.slices) else (np.nan, np.nan)
    return (float(first), float(last)) if np.isfinite([first, last]).all() else None


def _with_members(
    cluster: Cluster, own: list[int], points: Points, usable: Bools, min_members: int
) -> Cluster:
    if not own:
        return cluster
    members = [number for number in own if usable[number]]
    ignore = len(members) < min_members
    # A group that does not count keeps all its points, so that a mark on it is not false.
    places = points.place_mm[members if members and not ignore else own]
    rows = (*cluster.rows, *(int(points.row[number]) for number in own))
    return replace(cluster, members=places, ignore=ignore, rows=rows)


def _in_slices(marks: Marks, number: int, cluster: Cluster) -> bool:
    """Tell whether a mark lies in the slices of a true group; where one of them names none, it does."""
    if cluster.slices is None or not len(marks.slice) or not np.isfinite(marks.slice[number]):
        return True
    first, last = cluster.slices
    return bool(first <= marks.slice[number] <= last)


def _by_centroid(marks: Marks, members: list[Floats], number: int, cluster: Cluster) -> bool:
    return bool(cluster.holds(marks.place_mm[number : number + 1])[0])


def _by_dbtex(marks: Marks, members: list[Floats], number: int, cluster: Cluster) -> bool:
    if cluster.box_mm is None or not np.isfinite(cluster.pixel_mm):
        raise TableError(
            "the rule 'dbtex' needs boxes or circles around the true groups", "or use the rule 'centroid'"
        )
    half = 0.5 * float(np.hypot(*(cluster.box_mm[2:] - cluster.box_mm[:2])))
    away = float(np.hypot(*(marks.place_mm[number] - cluster.centre_mm)))
    return away < max(half, DBTEX_REACH_PX * cluster.pixel_mm)


def _areas(box: Floats, members: Floats, cluster: Cluster) -> tuple[float, float]:
    """Return the area of a detected and of a true group, both measured in the way both allow."""
    if not len(members):
        if cluster.box_mm is not None:
            return box_area(box), box_area(cluster.box_mm)
        return box_area(box), box_area(bounding_box(cluster.members))
    if cluster.box_mm is None:
        return hull_area(members), hull_area(cluster.members)
    if np.isfinite(cluster.radius_mm):
        return circle_area(members), float(np.pi * cluster.radius_mm**2)
    return box_area(bounding_box(members)), box_area(cluster.box_mm)


def _true_members(box: Floats, members: Floats, cluster: Cluster) -> Floats:
    """Return the places of the true calcifications that a detected group holds; (n, 2)."""
    if len(members) and len(cluster.members):
        distance, _ = cKDTree(members).query(cluster.members)
        return cluster.members[distance <= HDOGREG_DISTANCE_MM + 1e-9]
    if len(members):
        return members[cluster.holds(members)]
    return cluster.members[((cluster.members >= box[:2]) & (cluster.members <= box[2:])).all(axis=1)]


def _by_kallergi(marks: Marks, members: list[Floats], number: int, cluster: Cluster) -> bool:
    box, own = marks.box_mm[number], members[number]
    if not len(own) and not np.isfinite(box).all():
        raise TableError(
            "the rule 'kallergi1999' needs the members or the box of every detected cluster",
            "give the detected calcifications with their cluster (members), the columns x_min, y_min, x_max "
            "and y_max, or use the rule 'centroid'",
        )
    if not len(own) and not len(cluster.members):
        raise TableError(
            "the rule 'kallergi1999' needs calcifications: neither truth nor detections have any",
            "give the detected calcifications with their cluster (members), or use the rule 'centroid'",
        )
    detected, true = _areas(box, own, cluster)
    if not KALLERGI_AREA[0] * true <= detected <= KALLERGI_AREA[1] * true:
        return False
    places = _true_members(box, own, cluster)
    if len(places) < KALLERGI_MEMBERS:
        return False
    nearest = np.asarray(cKDTree(places).query(places, k=2)[0])[:, 1]
    return bool((nearest < KALLERGI_NEIGHBOUR_MM).sum() >= KALLERGI_MEMBERS)


@dataclass(frozen=True)
class ClusterRule:
    """One way to decide that a detected group stands for a true one.

    Attributes
    ----------
    name, meaning : str
    one_to_one : bool
        A detected group finds one true group at most, and further ones on a found group are false.
    test : callable
        From the marks, the members of each, the number of a mark and a true group to whether it may stand
        for it.
    """

    name: str
    meaning: str
    one_to_one: bool
    test: Callable[[Marks, list[Floats], int, Cluster], bool]


_ASKED = {
    "kallergi1999": (
        "the area is 50-400 % of the true one, and it holds 3 or more true members whose nearest neighbours "
        "are under sqrt(2) cm (Kallergi et al. 1999)",
        _by_kallergi,
    ),
    "centroid": ("the centroid lies in the true region", _by_centroid),
    "dbtex": (
        "its centre is nearer to that of the true box than half its diagonal or 100 pixels, whichever is "
        "more (DBTex challenge, Konz et al. 2023)",
        _by_dbtex,
    ),
}
_ONE = "one group, one true group, by falling score"
_MANY = "one group may find several true groups, and several one"

CLUSTER_RULES: dict[str, ClusterRule] = {
    rule.name: rule
    for name, (meaning, test) in _ASKED.items()
    for rule in (
        ClusterRule(name, f"{meaning}; {_ONE}", True, test),
        ClusterRule(f"{name}_many", f"{meaning}; {_MANY}", False, test),
    )
}
"""Matching rules for clusters by name."""


def _members_of(marks: Marks, members: Marks | None) -> list[Floats]:
    """Return the places of the members of every detected group."""
    none = np.zeros((0, 2))
    if members is None:
        return [none] * len(marks)
    by_group: dict[tuple[int, str], list[int]] = {}
    for number in np.flatnonzero(members.cluster != ""):
        key = (int(members.image[number]), str(members.cluster[number]))
        by_group.setdefault(key, []).append(int(number))
    keys = [(int(i), str(c)) for i, c in zip(marks.image, marks.cluster, strict=True)]
    return [members.place_mm[by_group[key]] if key in by_group else none for key in keys]


def match_clusters(
    marks: Marks, members: Marks | None, clusters: list[Cluster], regions: Regions, rule: str
) -> Matching:
    """Match detected groups with those of the truth.

    Parameters
    ----------
    marks : Marks
        Centroids of the detected groups.
    members : Marks or None
        Their calcifications, told by `cluster`.
    clusters : list of Cluster
        From `true_clusters`.
    regions : Regions
        Those to be ignored are regions in which marks do not count.
    rule : str
        A key of `CLUSTER_RULES`.
    """
    if rule not in CLUSTER_RULES:
        raise ValueError(f"unknown rule {rule!r} for clusters; choose from {', '.join(CLUSTER_RULES)}")
    chosen = CLUSTER_RULES[rule]
    own = _members_of(marks, members)
    ignore = np.array([cluster.ignore for cluster in clusters], dtype=bool)
    found: list[tuple[int, int, float]] = []
    for k, cluster in enumerate(clusters):
        m0, m1 = np.searchsorted(marks.image, [cluster.image, cluster.image + 1])
        for m in range(int(m0), int(m1)):
            # On a group that does not count, the centroid is enough for a mark not to be false.
            asked = _by_centroid if cluster.ignore else chosen.test
            if _in_slices(marks, m, cluster) and asked(marks, own, m, cluster):
                away = float(np.hypot(*(marks.place_mm[m] - cluster.centre_mm)))
                found.append((m, k, away))
    table = np.array(found, dtype=np.float64).reshape(-1, 3)
    mark: Ints = table[:, 0].astype(np.int64)
    lesion: Ints = table[:, 1].astype(np.int64)
    pairs = Pairs(mark, lesion, table[:, 2])
    return settle(
        marks.score, pairs, ignore, one_to_one=chosen.one_to_one, dont_care=in_dont_care(marks, regions)
    )
