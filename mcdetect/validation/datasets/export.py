"""The truth of a case as a table, in the columns that an evaluation reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mcdetect.image.mammogram import Mammogram
from mcdetect.validation.datasets.base import Case, Kind, Region
from mcdetect.validation.datasets.shapes import Circle

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TRUTH_COLUMNS", "truth_table"]

TRUTH_COLUMNS = {
    "image": "str",
    "patient": "str",
    "kind": "str",
    "x": "float64",
    "y": "float64",
    "diameter_mm": "float64",
    "radius": "float64",
    "x_min": "float64",
    "y_min": "float64",
    "x_max": "float64",
    "y_max": "float64",
    "cluster": "str",
    "dot": "bool",
    "slice_min": "float64",
    "slice_max": "float64",
}
"""Columns and types of `truth_table`."""


def truth_table(case: Case, mammogram: Mammogram) -> pd.DataFrame:
    """Return the calcifications and groups of a case as a table; mask files are read now.

    Parameters
    ----------
    case : Case
        Its status tells whether an image without rows is negative or merely not annotated.
    mammogram : Mammogram
        The image, as `Case.read` returns it.

    Returns
    -------
    DataFrame
        One row per finding, other findings than calcifications left out. Single calcifications have
        `x`, `y` (column and row of the centroid in pixels, 0-based), the diameter of the circle of
        equal area in mm, and whether they are a single pixel (`dot`). Groups have a number in
        `cluster`, which single calcifications inside them share, and either a circle (`x`, `y`,
        `radius` in pixels) or the outermost pixels of a box. `slice_min` and `slice_max` are the first and
        the last frame that a finding spans, empty for plain mammograms.

    Raises
    ------
    InputFileError
        As `Case.regions`.
    """
    import pandas as pd

    regions = case.regions(mammogram.shape)
    groups = [region for region in regions if region.finding.kind is Kind.GROUP]
    pixel_mm2 = mammogram.spacing.row_mm * mammogram.spacing.col_mm
    rows = []
    for region in regions:
        if region.finding.kind is Kind.OTHER:
            continue
        row: dict[str, object] = {
            "image": case.name,
            "patient": case.patient,
            "kind": str(region.finding.kind),
            "dot": region.is_dot,
        }
        if region.finding.slices is not None:
            row |= dict(zip(("slice_min", "slice_max"), region.finding.slices, strict=True))
        if region.finding.kind is Kind.GROUP:
            number = next(n for n, group in enumerate(groups, start=1) if group is region)
            row |= {"cluster": str(number), **_extent(region)}
        else:
            around = (n for n, g in enumerate(groups, start=1) if g.contains(region.row, region.col))
            row |= {
                "cluster": str(next(around, "")),
                "x": region.col,
                "y": region.row,
                "diameter_mm": 2.0 * math.sqrt(region.area_px * pixel_mm2 / math.pi),
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(TRUTH_COLUMNS)).astype(TRUTH_COLUMNS)


def _extent(region: Region) -> dict[str, float]:
    drawn = region.finding.shape
    if isinstance(drawn, Circle) and not region.remarks and drawn.radius > 0:
        return {"x": drawn.col, "y": drawn.row, "radius": drawn.radius}
    rows, cols = region.mask.shape
    return {
        "x_min": region.left,
        "y_min": region.top,
        "x_max": region.left + cols - 1,
        "y_max": region.top + rows - 1,
    }
