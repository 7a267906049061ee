"""The measures of a calcification, each declared once: column, formula in words and in code, range, source.

A new measure is a new entry of `MEASURES`: its column, its statistics over the members of a group and its
entries in the feature dictionary follow from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mcdetect.schema.column import Column
from mcdetect.schema.references import BETAL, BIRADS, CHAN, NO_OUTLINE, SHEN

__all__ = ["MEASURES", "SHAPE_MEASURES", "Measure", "Outlines"]

Outlines = Mapping[str, npt.NDArray[np.float64]]
"""Raw numbers of (n,) outlines: those of `mcdetect.kernels.shapes.COLUMNS`, lengths in mm. Outlines are
stretched to the ellipse that fits best behind blur."""


@dataclass(frozen=True)
class Measure:
    """One measure of a calcification.

    Parameters
    ----------
    column : Column
        Its column in the table of calcifications.
    of : callable, optional
        Computes it from the raw numbers of the outlines, as an (n,) float64 array. None where another
        stage measures it.
    spread : bool
        Whether its statistics over the members are features of a group.
    worst : {"highest", "lowest"}
        Which value stands out most among the members: the less round, the more hazy, the more lucent one.
    """

    column: Column
    of: Callable[[Outlines], npt.NDArray[np.float64]] | None
    spread: bool = True
    worst: Literal["highest", "lowest"] = "highest"

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.column.name


def _circularity(o: Outlines) -> npt.NDArray[np.float64]:
    area, perimeter = o["area"], o["perimeter"]
    circularity: npt.NDArray[np.float64] = np.minimum(4.0 * math.pi * area / perimeter**2, 1.0)
    return circularity


MEASURES: tuple[Measure, ...] = (
    Measure(
        Column(
            "area_mm2",
            "float64",
            "mm2",
            "area inside the outline, stretched to its axes without blur",
            formula=(
                "A: area of the outline at half contrast, stretched to the axes of the blurred ellipse that "
                "fits best"
            ),
            from_image=True,
            source=CHAN,
            twin="skimage area; pyradiomics shape2D MeshSurface",
            missing=NO_OUTLINE,
        ),
        lambda o: o["area"],
    ),
    Measure(
        Column(
            "diameter_mm",
            "float64",
            "mm",
            "diameter of the disc of equal area, without blur",
            formula="sqrt(4 A / pi); 2 sqrt(2) scale_mm without an outline",
            source=CHAN,
            twin="skimage equivalent_diameter_area",
        ),
        lambda o: np.sqrt(4.0 * o["area"] / math.pi),
    ),
    Measure(
        Column(
            "perimeter_mm",
            "float64",
            "mm",
            "length of the outline",
            formula="P: length of the outline at half contrast, stretched to the fitted axes",
            twin="skimage perimeter (of pixels); pyradiomics shape2D Perimeter",
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: o["perimeter"],
    ),
    Measure(
        Column(
            "major_axis_mm",
            "float64",
            "mm",
            "long axis of the ellipse of equal second moments",
            formula="4 sqrt(larger second moment of the outline stretched to the fitted axes)",
            twin="skimage axis_major_length; pyradiomics shape2D MajorAxisLength",
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: 4.0 * np.sqrt(o["major"]),
    ),
    Measure(
        Column(
            "minor_axis_mm",
            "float64",
            "mm",
            "short axis of that ellipse",
            formula="4 sqrt(smaller second moment of the outline stretched to the fitted axes)",
            twin="skimage axis_minor_length; pyradiomics shape2D MinorAxisLength",
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: 4.0 * np.sqrt(o["minor"]),
    ),
    Measure(
        Column(
            "aspect",
            "float64",
            "",
            "length over width",
            formula="major_axis_mm / minor_axis_mm",
            low=1.0,
            source=BETAL,
            twin="inverse of pyradiomics shape2D Elongation",
            missing=f"{NO_OUTLINE}, or it has no width",
        ),
        lambda o: np.where(o["minor"] > 0.0, np.sqrt(o["major"] / np.maximum(o["minor"], 1e-300)), np.nan),
    ),
    Measure(
        Column(
            "circularity",
            "float64",
            "0-1",
            "4 pi area / perimeter^2, at most 1",
            formula="4 pi A / P^2, at most 1",
            high=1.0,
            twin="square of pyradiomics shape2D Sphericity",
            missing=NO_OUTLINE,
        ),
        lambda o: _circularity(o),
        worst="lowest",
    ),
    Measure(
        Column(
            "compactness",
            "float64",
            "0-1",
            "1 - circularity; 0 for a disc",
            formula="1 - circularity",
            high=1.0,
            source=SHEN,
            missing=NO_OUTLINE,
        ),
        lambda o: 1.0 - _circularity(o),
    ),
    Measure(
        Column(
            "eccentricity",
            "float64",
            "0-1",
            "of the ellipse of equal second moments",
            formula="sqrt(1 - minor_axis_mm^2 / major_axis_mm^2)",
            high=1.0,
            source=CHAN,
            twin="skimage eccentricity; pyradiomics shape2D Elongation is sqrt(1 - eccentricity^2)",
            missing=NO_OUTLINE,
        ),
        lambda o: np.sqrt(1.0 - o["minor"] / o["major"]),
    ),
    Measure(
        Column(
            "solidity",
            "float64",
            "0-1",
            "area over area of the convex hull",
            formula="A / area of the convex hull, at most 1",
            high=1.0,
            twin="skimage solidity",
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: np.minimum(o["area"] / o["hull_area"], 1.0),
        worst="lowest",
    ),
    Measure(
        Column(
            "roughness",
            "float64",
            "0-1",
            "Fourier descriptor factor of the outline, 0 when smooth",
            formula="1 - sum |Z_k| / |k| / sum |Z_k| of the outline's Fourier descriptors, |k| = 1 to 16",
            high=1.0,
            source=SHEN,
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: o["roughness"],
    ),
    Measure(
        Column(
            "moment_irregularity",
            "float64",
            "",
            "moment factor of the outline's distance from its centroid",
            formula="(M4^(1/4) - M2^(1/2)) / m1 of the distances d of the outline from its centroid",
            source=SHEN,
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: o["moments"],
    ),
    Measure(
        Column(
            "orientation_deg",
            "float64",
            "deg",
            "major axis against the rows, counter-clockwise, -90 to 90",
            formula="angle of the major axis against the rows, counter-clockwise",
            low=-90.0,
            high=90.0,
            twin="skimage orientation, turned by 90 degrees",
            missing=f"{NO_OUTLINE}, or no axis is longer",
            from_image=True,
        ),
        lambda o: np.degrees(o["angle"]),
        spread=False,
    ),
    Measure(
        Column(
            "contrast",
            "float64",
            "SD",
            "height over the local background, in units of pixel noise",
            formula="height of the smoothed summit over the background, over the SD of the noise",
            source=CHAN,
            twin="pyradiomics firstorder Maximum of the equalised image",
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: o["contrast"],
    ),
    Measure(
        Column(
            "integrated_contrast_mm2",
            "float64",
            "SD mm2",
            "contrast summed over its area; effective volume",
            formula="integral of the fitted body over its background: the effective volume",
            source="doi:10.1148/radiology.198.3.8628853",
            missing="no body fits",
            from_image=True,
        ),
        lambda o: o["volume"],
    ),
    Measure(
        Column(
            "edge_sharpness_per_mm",
            "float64",
            "1/mm",
            "relative slope of the image across the outline",
            formula="mean slope of the image along the outline at half contrast / contrast",
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: o["slope"],
        worst="lowest",
    ),
    Measure(
        Column(
            "rim_ratio",
            "float64",
            "",
            "height of the rim over that of the centre; over 1 when lucent",
            formula="highest mean along the outline drawn in to 0.5, 0.6, 0.7, 0.8 / mean of the centre",
            source=BIRADS,
            missing=NO_OUTLINE,
            from_image=True,
        ),
        lambda o: o["rim"],
    ),
    Measure(
        Column(
            "snr",
            "float64",
            "SD",
            "strongest band-pass response over its local robust spread",
            formula="strongest band-pass response / its local robust spread",
            from_image=True,
        ),
        None,
    ),
)
"""In the order of the columns."""

SHAPE_MEASURES: tuple[str, ...] = tuple(measure.name for measure in MEASURES if measure.spread)
"""Names of the measures whose spread within a group is a feature of the group."""
