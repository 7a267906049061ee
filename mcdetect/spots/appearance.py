"""Numbers that tell a calcification from vessels, dust, edges and noise peaks."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.appearance import CURVATURE_MM, DIRECTIONS, RING_MM, measure_spots
from mcdetect.spots.observer import OBSERVER_NAMES, observe, spread_at

__all__ = ["FEATURE_NAMES", "Candidates", "describe_spots", "refined_scale_mm"]

_BANDS = 7
_SPREAD_BANDS = (1, 3, 5)
_OUTER = slice(8, 10)  # rings that make the background
_NEAR = slice(3, 7)  # 0.22 to 0.52 mm
_FAR = slice(6, 10)  # 0.52 to 1.0 mm

_Floats = npt.NDArray[np.float64]

FEATURE_NAMES: tuple[str, ...] = (
    "snr",
    "log_scale",
    "contrast",
    *(f"band_{k}" for k in range(_BANDS)),
    *(f"band_share_{k}" for k in range(_BANDS)),
    *(f"ring_{k}" for k in range(RING_MM.size)),
    "sharpness",
    "undershoot",
    "roundness_own",
    *(f"roundness_{k}" for k in range(CURVATURE_MM.size)),
    "stretch_own",
    *(f"stretch_{k}" for k in range(CURVATURE_MM.size)),
    "line_near",
    "line_far",
    "arm_near",
    "arm_far",
    "uneven_near",
    "uneven_far",
    "relief",
    "slope",
    *(f"spread_ratio_{k}" for k in _SPREAD_BANDS),
    *OBSERVER_NAMES,
)
"""Names of the columns that `describe_spots` returns; none depends on the unit of the grey levels."""


class Candidates(Protocol):
    """What is read of `mcdetect.spots.find.Spots`."""

    @property
    def row_px(self) -> _Floats: ...
    @property
    def col_px(self) -> _Floats: ...
    @property
    def snr(self) -> _Floats: ...
    @property
    def band(self) -> npt.NDArray[np.int64]: ...
    @property
    def levels_mm(self) -> _Floats: ...
    @property
    def spread(self) -> npt.NDArray[np.float32]: ...
    @property
    def tile_px(self) -> tuple[int, int]: ...
    @property
    def covariance(self) -> _Floats: ...


def describe_spots(
    pixels: npt.NDArray[np.float32], spots: Candidates, spacing: PixelSpacing
) -> npt.NDArray[np.float32]:
    """Describe every spot of a noise-equalised image.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
        Noise-equalised grey levels.
    spots : mcdetect.spots.find.Spots
        Positions in pixels of `pixels`.
    spacing : PixelSpacing
        Pixel spacing in mm.

    Returns
    -------
    (n, len(FEATURE_NAMES)) float32 array
        Finite everywhere.
    """
    row_px, col_px, levels_mm, band = spots.row_px, spots.col_px, spots.levels_mm, spots.band
    n, levels = row_px.size, levels_mm.size
    scale_mm = np.sqrt(levels_mm[band] * levels_mm[band + 1])
    bends = 1 + CURVATURE_MM.size
    raw = np.empty((n, levels + 3 * bends + RING_MM.size * DIRECTIONS), np.float32)
    measure_spots(
        pixels,
        row_px,
        col_px,
        scale_mm,
        spacing.row_mm,
        spacing.col_mm,
        levels_mm,
        RING_MM,
        CURVATURE_MM,
        raw,
    )
    means = raw[:, :levels].astype(np.float64)
    curvature = raw[:, levels : levels + 3 * bends].reshape(n, bends, 3).astype(np.float64)
    rings = raw[:, levels + 3 * bends :].reshape(n, RING_MM.size, DIRECTIONS).astype(np.float64)

    local = spread_at(spots.spread, row_px, col_px, spots.tile_px)
    bands = (means[:, :-1] - means[:, 1:]) / local
    strongest = np.maximum(bands.max(axis=1, initial=1e-3), 1e-3)
    background = np.median(rings[:, _OUTER].mean(axis=1), axis=1)
    contrast = np.maximum(means[:, 1] - background, 0.3)
    profile = (rings.mean(axis=2) - background[:, None]) / contrast[:, None]
    roundness, stretch = _curvature(curvature, contrast)
    typical = np.median(spots.spread, axis=(1, 2))[list(_SPREAD_BANDS)]
    columns = [
        spots.snr,
        np.log(scale_mm),
        means[:, 1] - background,
        *bands.T,
        *(bands / strongest[:, None]).T,
        *profile.T,
        np.max(-np.diff(profile, axis=1) / np.diff(RING_MM), axis=1, initial=0.0),
        profile[:, :8].min(axis=1, initial=0.0),
        *roundness.T,
        *stretch.T,
        *_directions(rings, background, contrast),
        *np.log(local[:, list(_SPREAD_BANDS)] / typical).T,
        *observe(bands, local, spots.covariance, levels_mm, spacing.mean_mm).T,
    ]
    table = np.stack(columns, axis=1) if n else np.empty((0, len(columns)))
    finite: npt.NDArray[np.float32] = np.clip(np.nan_to_num(table, nan=0.0), -1e4, 1e4).astype(np.float32)
    return finite


def refined_scale_mm(
    features: npt.NDArray[np.float32], band: npt.NDArray[np.int64], levels_mm: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Scale of strongest response, between bands: the summit of a parabola over the logarithm of scale.

    Parameters
    ----------
    features : (n, len(FEATURE_NAMES)) float32 array
        As `describe_spots` returns them.
    band : (n,) int64 array
        The band of strongest response at each spot.
    levels_mm : (bands + 1,) float64 array
        Gaussian scales; must be in equal ratios.

    Returns
    -------
    (n,) float64 array
        Gaussian scales in mm, at most half a band from the band's centre; the centre itself for
        the first and the last band.
    """
    first = FEATURE_NAMES.index("band_0")
    response = features[:, first : first + _BANDS].astype(np.float64)
    inner = np.clip(band, 1, _BANDS - 2)
    here = np.arange(band.size)
    below, at, above = (response[here, inner + k] for k in (-1, 0, 1))
    bend = below - 2.0 * at + above
    shift = np.where(bend < -1e-9, 0.5 * (below - above) / np.minimum(bend, -1e-9), 0.0)
    shift = np.where(inner == band, np.clip(shift, -0.5, 0.5), 0.0)
    ratio = levels_mm[1] / levels_mm[0]
    scale: npt.NDArray[np.float64] = levels_mm[0] * ratio ** (band + 0.5 + shift)
    return scale


def _curvature(
    curvature: npt.NDArray[np.float64], contrast: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Ratio of the weaker to the stronger curvature (1 for a disc, 0 for a line) and their difference."""
    mean = 0.5 * (curvature[..., 0] + curvature[..., 1])
    half = np.hypot(0.5 * (curvature[..., 0] - curvature[..., 1]), curvature[..., 2])
    strong, weak = mean - half, mean + half
    round_ = np.where(strong < -1e-6, weak / np.minimum(strong, -1e-6), 0.0)
    return np.clip(round_, -1.0, 1.0), 2.0 * half / contrast[:, None]


def _directions(
    rings: npt.NDArray[np.float64], background: npt.NDArray[np.float64], contrast: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """Lines through the spot, arms from it, unevenness and slope around it; relative to its contrast."""
    half = DIRECTIONS // 2
    near, far = (
        (rings[:, part].mean(axis=1) - background[:, None]) / contrast[:, None] for part in (_NEAR, _FAR)
    )
    lines = [np.minimum(arms[:, :half], arms[:, half:]).max(axis=1) for arms in (near, far)]
    arms = [near.max(axis=1), far.max(axis=1)]
    uneven = [near.std(axis=1), far.std(axis=1)]
    relief = np.log(far.std(axis=1) * contrast + 0.1)
    slope = np.abs(np.fft.rfft(far, axis=1)[:, 1]) / half
    return [*lines, *arms, *uneven, relief, slope]
