"""Channelised Hotelling observer: what all bands say together, given how noise and texture correlate there.

Film grain, dust, quantum noise and tissue have different spectra, and none is white. The covariance of the
bands over an image says which differences between them are rare there. Weighted by its inverse, the
bands of a spot become the signal-to-noise ratio of a body of given size (the best that any weighting of
them can reach) and a remainder that no body explains.

Reference: H. H. Barrett et al., "Model observers for assessment of image quality", PNAS 90 (1993).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

__all__ = ["BODY_MM", "OBSERVER_NAMES", "band_covariance", "observe", "spread_at"]

BODY_MM = (0.10, 0.16, 0.25, 0.38, 0.55, 0.80)
"""Diameters of the bodies that are looked for."""

OBSERVER_NAMES: tuple[str, ...] = (
    *(f"body_{k}" for k in range(len(BODY_MM))),
    "body_best",
    "body_misfit",
    "body_size",
    "body_misfit_share",
)
"""Names of the columns that `observe` returns."""

_Floats = npt.NDArray[np.float64]

_BLUR_MM = 0.05  # of the imaging system, as a Gaussian
_CLIP = 3.0  # SD at which samples are cut, so that calcifications and dust do not count as noise
_PRIOR_SAMPLES = 300  # weight of the prior correlation
_PRIOR_CORRELATION = 0.6  # of neighbouring bands
_LEAST_VARIANCE = 0.25
_RIDGE = 0.02
_LEAST_SIGMA_PX = 0.35  # narrower Gaussians are measured with this width


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
    """Covariance of the bands where there is no calcification.

    Parameters
    ----------
    samples : (n, bands) float64 array
        Bands at many places of one image, each over its local spread; calcifications among them are
        cut down. Few samples count little against a prior correlation.

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
    """Look for round bodies of the sizes `BODY_MM` at every spot.

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
        Signal-to-noise ratio for every size and the largest of them; the remainder's length, in SD; the
        logarithm of the size in mm; the remainder relative to the largest ratio.
    """
    weight = np.linalg.inv(covariance)
    reach = np.maximum(levels_mm, _LEAST_SIGMA_PX * pixel_mm) ** 2
    ratios = []
    for diameter in BODY_MM:
        moment = (diameter / 4.0) ** 2 + _BLUR_MM**2 + pixel_mm**2 / 12.0
        means = moment / (moment + reach)
        expected = (means[:-1] - means[1:]) / local
        filtered = expected @ weight
        ratios.append((filtered * bands).sum(axis=1) / np.sqrt((filtered * expected).sum(axis=1)))
    by_size = np.stack(ratios, axis=1)
    best = by_size.max(axis=1)
    energy = ((bands @ weight) * bands).sum(axis=1)
    misfit = np.sqrt(np.maximum(energy - best**2, 0.0))
    size = np.log(np.array(BODY_MM))[by_size.argmax(axis=1)]
    table: _Floats = np.column_stack([by_size, best, misfit, size, misfit / np.maximum(best, 0.5)])
    return table
