"""Outlines: from candidate positions and a top-hat image to measured shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.config import BLUR_LIMITS_MM, USUAL_BLUR_MM
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.shapes import COLUMNS, measure
from mcdetect.schema import MEASURES

__all__ = ["Shapes", "measure_shapes", "outline_reach_mm"]

# Technical: how finely outlines are traced.
GRID_STEP_MM = 0.02  # grid on which an outline is traced

_MOST_MM = 2.0  # Judged: nothing farther from a centre than half of this belongs to a speck

# Judged: on drawn calcifications of known size (python -m benchmarks size_accuracy ellipses). More
# smoothing steadies outlines in noise and rounds them off; wider bounds correct more blur and follow noise
# farther.
SMOOTHING = 0.5  # SD of the Gaussian before tracing, over the scale of the spot; less where little noise is
TYPICAL_SCALE_MM = 0.1  # scale of a spot where none is given
LEAST_GROWTH, MOST_GROWTH = 0.3, 1.35  # of an outline, along any direction, to the size without blur
SMALL, LARGE = 3.0, 6.0  # half axis of the outline over the blur: what is large is hardly wide from blur

# Judged: what to expect where noise hides size and form (python -m benchmarks size_accuracy ellipses).
# Another expectation draws the sizes of faint calcifications to itself.
TYPICAL_MM, SPREAD = 0.27, 0.6  # diameters: median, and SD of the natural logarithm
LONG, LONG_POWER = 0.06, 0.32  # half the logarithm of length over width that is long, and how rare more is
INDEPENDENT = 0.6  # measurements per pixel: noise is between white and as blurred as the signal
LEAST_BLURS = 0.6  # least half axis, in SD of the blur


@dataclass(frozen=True)
class Shapes:
    """Size and shape of n calcifications.

    Parameters
    ----------
    values : mapping of str to (n,) float64 array
        By name: the measures of `mcdetect.schema.MEASURES` that are taken from an outline;
        ``row_px, col_px``, the outline's centroid; ``min_row_px, min_col_px, max_row_px, max_col_px``, its
        bounding box. Each can be read as an attribute too: ``shapes.area_mm2``. All are NaN for a spot
        that does not rise above its background, or too little of whose own does.
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


def outline_reach_mm(
    spacing: PixelSpacing, scale_mm: npt.NDArray[np.float64], max_diameter_mm: float = _MOST_MM
) -> float:
    """Return how far from spots of such scales `measure_shapes` reads the top-hat, along rows and columns."""
    pixel_mm = max(spacing.row_mm, spacing.col_mm)
    blur_mm = max(SMOOTHING * float(scale_mm.max(initial=0.0)), 0.5 * pixel_mm)
    return 0.5 * max_diameter_mm + GRID_STEP_MM + 3.0 * blur_mm + 3.0 * pixel_mm


def measure_shapes(
    tophat: npt.NDArray[np.float32],
    rows_px: npt.ArrayLike,
    cols_px: npt.ArrayLike,
    spacing: PixelSpacing,
    *,
    contour_fraction: float = 0.5,
    max_diameter_mm: float = _MOST_MM,
    blur_mm: float = USUAL_BLUR_MM,
    scale_mm: npt.ArrayLike | None = None,
    pixels: npt.NDArray[np.float32] | None = None,
) -> Shapes:
    """Outline calcifications in a top-hat image and measure them.

    Each calcification is measured by itself:

    1. The image around it is resampled on a grid of 0.02 mm and smoothed by half its scale.
    2. Its background is the median of a ring around it. Its contrast is the height of its summit above that.
    3. Its region is what is connected to the summit and higher than `contour_fraction` of the contrast.
       Summits of neighbours are cut off. Where it stands out from the noise, this is done again with less
       smoothing. The outline of the region is traced between the grid points (marching squares).
    4. Its axes come from a fit: of ellipses behind blur and pixels, the most likely one. The outline is
       stretched along its own axes to those.
    5. All measures but contrast, slope and rim are those of the stretched outline.

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

    Axes. The outline of a small body at half height shows the blur: it is rounder and wider than the body.
    That of a ball is too small, since it is thin at its border. So an ellipse is fitted to the pixels
    around: place, two axes, direction and height, a plate or a ball, behind Gaussian blur and pixel aperture,
    over a background that may slope (`mcdetect.kernels.ellipses.fit_ellipse`). Where noise hides size and
    form, sizes tend to 0.27 mm, and forms to a disc.

    Outlines unlike an ellipse are not stretched. That is when the area is less than 0.82 of that of the
    ellipse of equal moments. From 0.82 to 0.96 they are stretched in part.

    Nothing is measured where the region is smaller than what blur makes of a point: such a mark lies on the
    slope of something else, or on a spike of noise.

    `python -m benchmarks size_accuracy` gives bias and spread by diameter, signal-to-noise ratio and blur,
    `python -m benchmarks ellipses` axes, aspect and direction.
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
    known = np.array([0.5 * TYPICAL_MM, SPREAD, LONG, LONG_POWER, LEAST_BLURS * blur_mm])
    growth = np.array([LEAST_GROWTH, SMALL * blur_mm, LARGE * blur_mm, MOST_GROWTH])

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
        blur_mm,
        known,
        growth,
        INDEPENDENT,
    )
    value = dict(zip(COLUMNS, found.T, strict=True))
    box = {
        f"{side}_{axis}_px": np.clip(value[f"{side}_{axis}"] / step, -0.5, n - 0.5)
        for axis, step, n in (("row", spacing.row_mm, height), ("col", spacing.col_mm, width))
        for side in ("min", "max")
    }
    measures = {measure.name: measure.of(value) for measure in MEASURES if measure.of is not None}
    centroid = {"row_px": value["row"] / spacing.row_mm, "col_px": value["col"] / spacing.col_mm}
    return Shapes({**measures, **centroid, **box})
