"""Channelised Hotelling observer: what all bands say together, given how noise and texture correlate there.

Film grain, dust, quantum noise and tissue have different spectra, and none is white. The covariance of the
bands over an image says which differences between them are rare there. Weighted by its inverse, the
bands of a spot become the signal-to-noise ratio of a body of given size (the best that any weighting of
them can reach) and a remainder that no body explains.

Reference: H. H. Barrett et al., "Model observers for assessment of image quality", PNAS 90 (1993).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from mcdetect.config import USUAL_BLUR_MM
from mcdetect.kernels.constants import LEAST_SIGMA_PX

__all__ = ["BODY_MM", "LEVELS_MM", "OBSERVER_NAMES", "band_covariance", "observe", "spread_at"]

# Judged: sizes of microcalcifications, 0.1 to 1 mm, in steps that a band tells apart. The score is fitted
# with these numbers (python -m benchmarks spot_model): fit it again after a change.
BODY_MM = (0.10, 0.16, 0.25, 0.38, 0.55, 0.80)
"""Diameters of the bodies that are looked for, in mm."""
LEVELS_MM: npt.NDArray[np.float64] = 0.05 * (0.35 / 0.05) ** (np.arange(8) / 6.0)
"""Gaussian scales in mm; seven bands lie between them, centred at 0.06 to 0.41 mm."""

_Floats = npt.NDArray[np.float64]

# Judged: the same. They trade knowing the noise of this image against resting on few samples.
_CLIP = 3.0  # SD at which samples are cut, so that calcifications and dust do not count as noise
_PRIOR_SAMPLES = 300  # weight of the prior correlation
_PRIOR_CORRELATION = 0.6  # of neighbouring bands
_LEAST_VARIANCE = 0.25  # of a band over its local spread
_RIDGE = 0.02  # added to every variance, so that the inverse stays tame


@dataclass(frozen=True)
class _Fit:
    """Bodies of all sizes at n spots: ratios (n, sizes), the best of them (n,), remainder (n,)."""

    by_size: _Floats
    best: _Floats
    misfit: _Floats


def _ratio(size: int) -> Callable[[_Fit], _Floats]:
    return lambda fit: fit.by_size[:, size]


_COLUMNS: dict[str, Callable[[_Fit], _Floats]] = {
    **{f"body_{k}": _ratio(k) for k in range(len(BODY_MM))},
    "body_best": lambda fit: fit.best,
    "body_misfit": lambda fit: fit.misfit,
    "body_size": lambda fit: np.log(np.array(BODY_MM))[fit.by_size.argmax(axis=1)],
    "body_misfit_share": lambda fit: fit.misfit / np.maximum(fit.best, 0.5),
}

OBSERVER_NAMES: tuple[str, ...] = tuple(_COLUMNS)
"""Names of the columns that `observe` returns."""


def spread_at(
    spread: npt.NDArray[np.float32], row_px: _Floats, col_px: _Floats, tile_px: tuple[int, int]
) -> _Floats:
    """Spread of every band at given places, interpolated between the tiles as a gain.

    Parameters
    ----------
    spread : (bands, tiles down, tiles across) float32 array
    row_px, col_px : (n,) float64 arrays
    tile_px : (int, int)

    Returns
    -------
    (n, bands) float64 array
    """
    place = np.stack([(row_px + 0.5) / tile_px[0] - 0.5, (col_px + 0.5) / tile_px[1] - 0.5])
    gains = [map_coordinates(1.0 / layer, place, order=1, mode="nearest") for layer in spread]
    local: _Floats = 1.0 / np.stack(gains, axis=1).astype(np.float64)
    return local


def band_covariance(samples: _Floats) -> _Floats:
    """Return how the bands vary together where there is no calcification.

    Samples are clipped at 3 SD, so that calcifications and dust among them hardly count. Where samples are
    few, a usual covariance (neighbouring bands correlate by 0.6) stands in for them.

    Parameters
    ----------
    samples : (n, bands) float64 array
        Bands at many places of one image, each over its local spread.

    Returns
    -------
    (bands, bands) float64 array
        Positive definite.
    """
    n, bands = samples.shape
    step = np.abs(np.subtract.outer(np.arange(bands), np.arange(bands)))
    total = _PRIOR_SAMPLES * _PRIOR_CORRELATION**step
    if n > 1:
        cut = np.clip(samples - np.median(samples, axis=0), -_CLIP, _CLIP)
        total = total + n * np.cov(cut.T)
    covariance: _Floats = total / (n + _PRIOR_SAMPLES)
    lacking = np.maximum(_LEAST_VARIANCE - np.diag(covariance), 0.0)
    return covariance + np.diag(lacking + _RIDGE)


def observe(
    bands: _Floats,
    local: _Floats,
    covariance: _Floats,
    levels_mm: _Floats,
    pixel_mm: float,
) -> _Floats:
    """Ask of every spot how well a round body explains it, for each of the sizes `BODY_MM`.

    A body of a given size, behind the usual blur of x-ray systems, answers in all bands in known
    proportions. The bands are added up with the weights that tell such an answer best from the noise of
    this image. The sum, over its standard deviation in noise, is the signal-to-noise ratio of that size.
    What the best body leaves unexplained is the remainder: it is large for what is no round body.

    Parameters
    ----------
    bands : (n, bands) float64 array
        Band-pass responses at the spots, each over its local spread.
    local : (n, bands) float64 array
        That spread.
    covariance : (bands, bands) float64 array
        Of the image, see `band_covariance`.
    levels_mm : (bands + 1,) float64 array
        Gaussian scales between which the bands lie.
    pixel_mm : float
        Pixel size.

    Returns
    -------
    (n, len(OBSERVER_NAMES)) float64 array
        ``body_0`` and on: the ratio for each size. ``body_best``: the largest of them. ``body_misfit``:
        length of the remainder, in SD of the noise. ``body_size``: logarithm of the best size in mm.
        ``body_misfit_share``: remainder over largest ratio.
    """
    weight = np.linalg.inv(covariance)
    reach = np.maximum(levels_mm, LEAST_SIGMA_PX * pixel_mm) ** 2
    ratios = []
    for diameter in BODY_MM:
        moment = (diameter / 4.0) ** 2 + USUAL_BLUR_MM**2 + pixel_mm**2 / 12.0
        means = moment / (moment + reach)
        expected = (means[:-1] - means[1:]) / local
        filtered = expected @ weight
        ratios.append((filtered * bands).sum(axis=1) / np.sqrt((filtered * expected).sum(axis=1)))
    by_size = np.stack(ratios, axis=1)
    best = by_size.max(axis=1)
    energy = ((bands @ weight) * bands).sum(axis=1)
    misfit = np.sqrt(np.maximum(energy - best**2, 0.0))
    fit = _Fit(by_size, best, misfit)
    return np.stack([column(fit) for column in _COLUMNS.values()], axis=1)
