"""Parts of the truth that are reported apart: by diameter, SNR, dots, grouping and number of members."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mcdetect.validation.evaluation.cases import Bools, Floats, Images, Points
from mcdetect.validation.evaluation.cluster_matching import Cluster

__all__ = ["DIAMETER_EDGES_MM", "SNR_EDGES", "Subset", "subsets_of_clusters", "subsets_of_points"]

# Judged: bins that each hold enough calcifications or groups for a figure.
DIAMETER_EDGES_MM = (0.15, 0.25, 0.5)
SNR_EDGES = (3.0, 5.0, 8.0, 12.0)
MEMBER_EDGES = (5.0, 10.0, 20.0)  # members of a group

# Physics: a disc of one pixel's area.
DOT_PX = 1.2
"""A dot of one pixel has the area of a disc 1.13 pixels wide."""


@dataclass(frozen=True)
class Subset:
    """Some of the lesions.

    Attributes
    ----------
    by : str
        What divides them.
    bin : str
        Which part.
    lesions : (k,) bool
    """

    by: str
    bin: str
    lesions: Bools


def _binned(by: str, values: Floats, edges: tuple[float, ...]) -> list[Subset]:
    """Divide at edges; a value on an edge belongs to the upper bin."""
    known = np.isfinite(values)
    if not known.any():
        return []
    place = np.searchsorted(np.asarray(edges), values, side="right")
    names = [f"<{edges[0]:g}", *(f"{a:g}-{b:g}" for a, b in pairwise(edges))]
    names.append(f">={edges[-1]:g}")
    parts = [Subset(by, name, known & (place == number)) for number, name in enumerate(names)]
    return [*parts, Subset(by, "unknown", ~known)]


def subsets_of_points(points: Points, images: Images) -> list[Subset]:
    """Return the parts of single calcifications that have anything in them.

    Diameters in mm (<0.15, 0.15-0.25, 0.25-0.5, >=0.5), SNR (<3, 3-5, 5-8, 8-12, >=12), dots of one pixel
    against larger ones, and members of a cluster against singles.
    """
    found = _binned("diameter_mm", points.diameter_mm, DIAMETER_EDGES_MM)
    found += _binned("snr", points.snr, SNR_EDGES)
    pixel = np.sqrt(images.spacing_mm.prod(axis=1))[points.image]
    with np.errstate(invalid="ignore"):
        dot = points.diameter_mm <= DOT_PX * pixel
    if dot.any():
        found += [Subset("dots", "one pixel", dot), Subset("dots", "larger", ~dot)]
    grouped = np.asarray(points.cluster != "", dtype=bool)
    if grouped.any():
        found += [Subset("grouping", "in a cluster", grouped), Subset("grouping", "single", ~grouped)]
    return [part for part in found if part.lesions.any()]


def subsets_of_clusters(clusters: list[Cluster]) -> list[Subset]:
    """Return the parts of the clusters by number of members (<5, 5-10, 10-20, >=20)."""
    members = np.array([len(c.members) or np.nan for c in clusters], dtype=np.float64)
    return [part for part in _binned("members", members, MEMBER_EDGES) if part.lesions.any()]
