"""BI-RADS distribution of calcifications, as graded memberships that sum to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.descriptors.outline_shapes import PointShape, measure_points
from mcdetect.clusters.descriptors.smooth import falling, rising

__all__ = ["DISTRIBUTIONS", "Distribution", "describe_distribution"]

DISTRIBUTIONS: tuple[str, ...] = ("diffuse", "regional", "grouped", "linear", "segmental")
"""The words of BI-RADS (5th edition, 2013) for the distribution of calcifications."""

# Standard: BI-RADS, 5th edition (2013): grouped up to 2 cm, regional beyond. The step's width is judged.
GROUPED_MM = (16.0, 24.0)
"""Grouped reaches up to 2 cm, regional begins there (BI-RADS); one fades into the other."""

# Judged: on drawn groups of every kind (python -m benchmarks descriptors). They trade word against word.
LINE_ASPECT = (2.0, 2.9)
"""Extent over width of a line. A disc of even density has 1, an ellipse twice as long as wide 2."""
LINE_GAP = (0.35, 0.6)
"""Share of the extent that may be empty in a line; two tight groups apart are no line."""
DIFFUSE_SHARE = (0.3, 0.6)
"""Share of the breast's area that diffuse calcifications take up."""
_WEDGE_RATIO = 1.2  # fit of a triangle over that of an ellipse at which either is as likely
_WEDGE_EXTENT_MM = 18.0  # extent at which a wedge is as likely as not
_AIM_SD_DEG = 12.0  # by which the tip of a segment misses the nipple
_AIM_CHANCE_DEG = 60.0  # the corner of any triangle that lies best towards the nipple is that near


@dataclass(frozen=True)
class Distribution:
    """How calcifications are distributed.

    Parameters
    ----------
    diffuse, regional, grouped, linear, segmental : float
        Memberships, 0 to 1; their sum is 1.
    shape : PointShape
        The measures that led to them.
    breast_share : float
        Area of the calcifications' hull over that of the breast; NaN when that is not known.
    """

    diffuse: float
    regional: float
    grouped: float
    linear: float
    segmental: float
    shape: PointShape
    breast_share: float

    @property
    def best(self) -> str:
        """The word of largest membership."""
        return max(DISTRIBUTIONS, key=lambda name: float(getattr(self, name)))


def describe_distribution(
    row_mm: npt.ArrayLike,
    col_mm: npt.ArrayLike,
    *,
    nipple_mm: tuple[float, float] | None = None,
    breast_area_mm2: float | None = None,
) -> Distribution:
    """Name the distribution of the calcifications of one group or region.

    Parameters
    ----------
    row_mm, col_mm : (n,) array-like of float
        Centres, in mm; n at least 1.
    nipple_mm : (float, float), optional
        Position of the nipple, in mm; without it a wedge may point anywhere.
    breast_area_mm2 : float, optional
        Area of the breast in the image, in mm2; without it nothing is called diffuse below 60 mm.

    Returns
    -------
    Distribution

    Notes
    -----
    Linear: the points keep to a smooth curve. They reach much farther along it than across, without a wide
    gap.

    Segmental: the points fill a triangle rather than an ellipse, and take up more than a tight group does.
    Where the nipple is known, a corner points to it. The two figures are told apart by area: the smallest
    ellipse around a triangle is 2.4 times as large as the triangle, the smallest triangle around an ellipse
    1.65 times as large as the ellipse, however elongated they are. The more points, the more that tells.

    What is neither is grouped up to about 2 cm and regional beyond. It is diffuse when it takes up much of
    the breast.

    Definitions: American College of Radiology, BI-RADS Atlas, 5th edition, 2013.
    """
    points = np.column_stack([np.asarray(row_mm, np.float64), np.asarray(col_mm, np.float64)])
    if len(points) == 0 or not np.isfinite(points).all():
        raise ValueError("row_mm and col_mm must be finite and hold at least one calcification")
    shape = measure_points(points, nipple_mm)
    # A breast is some 15 cm wide: half of it is 60 mm and more.
    share = (
        math.nan if breast_area_mm2 is None or not breast_area_mm2 > 0 else shape.area_mm2 / breast_area_mm2
    )
    wide = rising(shape.extent_mm, 60.0, 100.0) if math.isnan(share) else rising(share, *DIFFUSE_SHARE)
    line = float(rising(math.log(max(shape.aspect, 1e-3)), *np.log(LINE_ASPECT)))
    line *= float(falling(shape.gap_share, *LINE_GAP))
    # A segment is the share of one lobe of the breast: what fills the breast is no segment.
    wedge = (1.0 - line) * (1.0 - float(wide)) * _wedge_membership(shape)
    blob = 1.0 - line - wedge
    tight = float(falling(shape.extent_mm, *GROUPED_MM))
    spread = blob * (1.0 - tight)
    diffuse = spread * float(wide)
    return Distribution(diffuse, spread - diffuse, blob * tight, line, wedge, shape, share)


def _wedge_membership(shape: PointShape) -> float:
    """Odds of a triangle against an ellipse, both filled evenly, with size and aim."""
    if not (math.isfinite(shape.wedge_ratio) and shape.wedge_ratio > 0.0):
        return 0.0
    odds = min(shape.n, 40) / 3.0 * math.log(shape.wedge_ratio / _WEDGE_RATIO)
    odds += float(np.clip(4.0 * math.log(max(shape.extent_mm, 0.1) / _WEDGE_EXTENT_MM), -4.0, 0.5)) - 0.2
    if math.isfinite(shape.wedge_aim_deg):
        expected = (
            math.sqrt(2.0 / math.pi) / _AIM_SD_DEG * math.exp(-0.5 * (shape.wedge_aim_deg / _AIM_SD_DEG) ** 2)
        )
        # The nipple is often estimated: a bad aim says less than a good one.
        odds += max(math.log(expected * _AIM_CHANCE_DEG + 1e-9), -1.2)
    return 1.0 / (1.0 + math.exp(-float(np.clip(odds, -30.0, 30.0))))
