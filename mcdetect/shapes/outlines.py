"""Outlines: from candidate positions and a top-hat image to measured shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.config import BLUR_LIMITS_MM, USUAL_BLUR_MM
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.shapes import COLUMNS, measure
from mcdetect.schema import MEASURES
from mcdetect.shapes.bodies import PROFILE_STEP_MM, RADIUS_MM, blurred_bodies

__all__ = ["Shapes", "measure_shapes"]

# Technical: how finely outlines are traced.
GRID_STEP_MM = 0.02  # grid on which an outline is traced

# Judged: on drawn calcifications of known size (python -m benchmarks size_accuracy). More smoothing steadies
# outlines in noise and rounds them off; wider bounds correct more blur and follow noise farther.
SMOOTHING = 0.5  # SD of the Gaussian before tracing, over the scale of the spot
TYPICAL_SCALE_MM = 0.1  # scale of a spot where none is given
LEAST_GROWTH, MOST_GROWTH = 0.3, 1.35  # of an outline to the size without blur
SMALL, LARGE = 2.0, 5.0  # radius of the outline over the blur: what is large is not wide from blur ...
LEAST_OF_LARGE = 0.95  # ... and shrinks no further than this
NO_ELLIPSE, ELLIPSE = 0.75, 0.9  # area over that of the ellipse of equal second moments


@dataclass(frozen=True)
class Shapes:
    """Size and shape of n calcifications.

    Parameters
    ----------
    values : mapping of str to (n,) float64 array
        By name: the measures of `mcdetect.schema.MEASURES` that are taken from an outline;
        ``row_px, col_px``, the outline's centroid; ``min_row_px, min_col_px, max_row_px, max_col_px``, its
        bounding box. Each can be read as an attribute too: ``shapes.area_mm2``. All are NaN for a spot
        that does not rise above its background.
    """

    values: Mapping[str, npt.NDArray[np.float64]]

    def __len__(self) -> int:
        return int(self.values["area_mm2"].size)

    def __getattr__(self, name: str) -> npt.NDArray[np.float64]:
        """Return the array of that name."""
        try:
            return self.__dict__["values"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"shapes have no {name!r}") from None

    def as_dict(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return the arrays by name."""
        return dict(self.values)


def measure_shapes(
    tophat: npt.NDArray[np.float32],
    rows_px: npt.ArrayLike,
    cols_px: npt.ArrayLike,
    spacing: PixelSpacing,
    *,
    contour_fraction: float = 0.5,
    max_diameter_mm: float = 2.0,
    blur_mm: float = USUAL_BLUR_MM,
    scale_mm: npt.ArrayLike | None = None,
    pixels: npt.NDArray[np.float32] | None = None,
) -> Shapes:
    """Outline calcifications in a top-hat image and measure them.

    Each calcification is measured by itself:

    1. The image around it is resampled on a grid of 0.02 mm and smoothed by half its scale.
    2. Its background is the median of a ring around it. Its contrast is the height of its summit above that.
    3. Its region is what is connected to the summit and higher than `contour_fraction` of the contrast.
       Summits of neighbours are cut off. The outline of the region is traced between the grid points
       (marching squares).
    4. Its size comes from a fit: of round bodies behind blur, the one that fits the pixels best. The outline
       is scaled to that size about its centroid.
    5. All measures are those of the scaled outline.

    Parameters
    ----------
    tophat : (rows, cols) float32 array
        White top-hat, calcification bright, in units of the pixel noise. Must be finite.
    rows_px, cols_px : (n,) array-like of float
        Centres, in pixels, inside the image.
    spacing : PixelSpacing
        Distance between pixel centres, in mm; may differ between axes.
    contour_fraction : float
        Level of the outline, between 0 (background) and 1 (summit). It decides the shape; the size hardly
        depends on it.
    max_diameter_mm : float
        Nothing farther from the centre than half of this belongs to a calcification, in mm.
    blur_mm : float
        Standard deviation of the x-ray system's blur ahead of the pixels, in mm. About 0.04 for
        selenium detectors, 0.06 for caesium iodide, 0.05 to 0.08 for screen-film with its digitiser.
    scale_mm : float or (n,) array-like of float, optional
        Gaussian scale of each calcification as the spot detector found it, in mm; a blurred disc of
        radius r has about r / sqrt(2). By default 0.1 mm for all.
    pixels : (rows, cols) float32 array, optional
        The image that `tophat` is the top-hat of, in the same units and finite. Sizes are better fitted to
        it: a top-hat takes part of what is wide, and its background follows the noise. By default `tophat`.

    Returns
    -------
    Shapes
        One entry per centre, in their order.

    Raises
    ------
    ValueError
        When an argument has the wrong shape, dtype or range, or a centre lies outside the image.

    Notes
    -----
    Contrast. It is taken from the mean of the part above half maximum, so that noise does not raise it.
    Smoothing lowers it for spots hardly wider than the blur: to 0.75 of the true height for a disc of
    0.25 mm behind a blur of 0.05 mm SD.

    Neighbours. Two summits are two calcifications when the saddle between them is deep enough: lower than
    both by more than 15 % of the contrast and by more than twice the spread of the background ring.

    Size. The outline at half height is a poor measure of size. That of a small body shows the blur. That of
    a round grain is too small, since the grain is thin at its border. So bodies of 42 radii and three kinds
    (plates, balls, grains that thin out) are fitted by least squares to the pixels around, behind Gaussian
    blur and pixel aperture, stretched to the outline's axes, over a background that may slope. The size is
    the mean of the logarithm of the radius, each weighted by how well it fits and how often it is expected
    (`mcdetect.shapes.bodies.blurred_bodies`). Where noise hides the size, the result tends to 0.31 mm.

    Outlines unlike an ellipse. No round body resembles them, so they keep their size at half height. That
    is when the area is less than 0.75 of that of the ellipse of equal moments. From 0.75 to 0.9 both sizes
    are mixed.

    `python -m benchmarks size_accuracy` gives bias and spread by diameter, signal-to-noise ratio and blur.
    """
    if tophat.ndim != 2 or tophat.dtype != np.float32:
        raise ValueError(f"tophat must be a 2-D float32 array, got {tophat.dtype} of shape {tophat.shape}")
    fitted = tophat if pixels is None else pixels
    if fitted.shape != tophat.shape or fitted.dtype != np.float32:
        raise ValueError(
            f"pixels must be a float32 array of shape {tophat.shape}, "
            f"got {fitted.dtype} of shape {fitted.shape}"
        )
    if not 0.0 < contour_fraction < 1.0:
        raise ValueError(f"contour_fraction must lie between 0 and 1, got {contour_fraction}")
    if not 0.2 <= max_diameter_mm <= 10.0:
        raise ValueError(f"max_diameter_mm must lie within 0.2 to 10 mm, got {max_diameter_mm}")
    least, most = BLUR_LIMITS_MM
    if not least <= blur_mm <= most:
        raise ValueError(f"blur_mm must lie within {least} to {most} mm, got {blur_mm}")
    row = np.ascontiguousarray(rows_px, dtype=np.float64)
    col = np.ascontiguousarray(cols_px, dtype=np.float64)
    if row.ndim != 1 or row.shape != col.shape:
        raise ValueError(
            f"rows_px and cols_px must be 1-D and of one length, got {row.shape} and {col.shape}"
        )
    height, width = tophat.shape
    inside = (row >= -0.5) & (row <= height - 0.5) & (col >= -0.5) & (col <= width - 0.5)
    if not inside.all():
        raise ValueError("rows_px and cols_px must lie inside the image")
    given = np.asarray(TYPICAL_SCALE_MM if scale_mm is None else scale_mm, dtype=np.float64)
    if given.shape not in ((), row.shape) or not np.all((given > 0.0) & (given < np.inf)):
        raise ValueError("scale_mm must be positive, and one number or one for each centre")
    scale = np.array(np.broadcast_to(given, row.shape))
    image, fitted = np.ascontiguousarray(tophat), np.ascontiguousarray(fitted)
    pixel_mm2 = spacing.row_mm * spacing.col_mm
    all_blur_mm = math.sqrt(blur_mm**2 + (spacing.row_mm**2 + spacing.col_mm**2) / 24.0)
    bodies = blurred_bodies(round(all_blur_mm, 5))
    independent = min(1.0, pixel_mm2 / (2.0 * math.pi * blur_mm**2))

    found = measure(
        image,
        fitted,
        row,
        col,
        scale,
        spacing.row_mm,
        spacing.col_mm,
        float(contour_fraction),
        0.5 * float(max_diameter_mm),
        GRID_STEP_MM,
        SMOOTHING,
        bodies.profiles,
        bodies.volumes,
        bodies.prior,
        PROFILE_STEP_MM,
        all_blur_mm,
        independent,
    )
    value = dict(zip(COLUMNS, found.T, strict=True))
    value["growth"] = growth = _growth(value, all_blur_mm)
    box = {
        f"{side}_{axis}_px": (value[axis] + growth * (value[f"{side}_{axis}"] - value[axis])) / step
        for axis, step in (("row", spacing.row_mm), ("col", spacing.col_mm))
        for side in ("min", "max")
    }
    measures = {measure.name: measure.of(value) for measure in MEASURES if measure.of is not None}
    centroid = {"row_px": value["row"] / spacing.row_mm, "col_px": value["col"] / spacing.col_mm}
    return Shapes({**measures, **centroid, **box})


def _growth(value: dict[str, npt.NDArray[np.float64]], blur_mm: float) -> npt.NDArray[np.float64]:
    """By how much outlines are drawn out or in, about their centroids, to the size of the fitted body.

    Outlines far from an ellipse are left as they are: no body of the family resembles them. Outlines much
    wider than the blur are hardly drawn in: the top-hat takes the skirts of what is wider than itself, so
    that a narrower body seems to fit.
    """
    fitted = RADIUS_MM[0] * (RADIUS_MM[1] / RADIUS_MM[0]) ** value["size"]
    radius = np.sqrt(value["area"] / math.pi)
    large = np.clip((radius / blur_mm - SMALL) / (LARGE - SMALL), 0.0, 1.0)
    least = LEAST_GROWTH + large * (LEAST_OF_LARGE - LEAST_GROWTH)
    full = np.clip(fitted / radius, least, MOST_GROWTH)
    ellipse = 4.0 * math.pi * np.sqrt(value["minor"] * value["major"])
    flat = value["minor"] == 0.0
    likeness = np.where(flat, 0.0, value["area"] / np.where(flat, 1.0, ellipse))
    trust = np.clip((likeness - NO_ELLIPSE) / (ELLIPSE - NO_ELLIPSE), 0.0, 1.0)
    growth: npt.NDArray[np.float64] = np.where(np.isnan(full), 1.0, full**trust)
    return growth
