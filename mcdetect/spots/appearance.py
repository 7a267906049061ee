"""Numbers that tell a calcification from vessels, dust, edges and noise peaks.

A column is declared once, in `_COLUMNS`: its name, and how it is made of what was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels.appearance import CURVATURE_MM, DIRECTIONS, RING_MM, measure_spots
from mcdetect.spots.observer import LEVELS_MM, OBSERVER_NAMES, observe, spread_at

__all__ = ["FEATURE_NAMES", "Candidates", "describe_spots", "refined_scale_mm"]

# Judged: the parts that features are made of. The score is fitted to them (python -m benchmarks spot_model):
# fit it again after a change.
_BANDS = LEVELS_MM.size - 1
_SPREAD_BANDS = (1, 3, 5)  # whose local spread over the usual one is a feature
_OUTER = slice(8, 10)  # rings that make the background
_NEAR = slice(3, 7)  # 0.22 to 0.52 mm
_FAR = slice(6, 10)  # 0.52 to 1.0 mm

_Floats = npt.NDArray[np.float64]


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


@dataclass(frozen=True)
class _Measured:
    """What was measured at n spots; the columns are made of it.

    Parameters
    ----------
    snr, scale_mm : (n,) float64 arrays
        Signal-to-noise ratio of the spot; Gaussian scale of the band that gave it, in mm.
    contrast : (n,) float64 array
        Height of the centre above the outer rings, in SD of the noise.
    at_least : (n,) float64 array
        The same, but never below 0.3: what heights are divided by.
    bands : (n, bands) float64 array
        Band-pass responses at the centre, each over its local spread.
    profile : (n, rings) float64 array
        Mean height on each ring, over the contrast.
    roundness, stretch : (n, 1 + curvature scales) float64 arrays
        See `_curvature`; at the spot's own scale first.
    near, far : (n, directions) float64 arrays
        Mean height on the near and on the far rings in each direction, over the contrast.
    spread_ratio : (n, len(_SPREAD_BANDS)) float64 array
        Logarithm of the local spread of a band over its usual spread in the image.
    observed : (n, len(OBSERVER_NAMES)) float64 array
        See `mcdetect.spots.observer.observe`.
    """

    snr: _Floats
    scale_mm: _Floats
    contrast: _Floats
    at_least: _Floats
    bands: _Floats
    profile: _Floats
    roundness: _Floats
    stretch: _Floats
    near: _Floats
    far: _Floats
    spread_ratio: _Floats
    observed: _Floats


_Column = Callable[[_Measured], _Floats]


def _through(arms: _Floats) -> _Floats:
    """Height of the best line through the spot: on either side, the lower of two opposite arms."""
    half = DIRECTIONS // 2
    best: _Floats = np.minimum(arms[:, :half], arms[:, half:]).max(axis=1)
    return best


def _band_shares(spots: _Measured) -> _Floats:
    strongest = np.maximum(spots.bands.max(axis=1, initial=1e-3), 1e-3)
    shares: _Floats = spots.bands / strongest[:, None]
    return shares


def _sharpness(spots: _Measured) -> _Floats:
    steepest: _Floats = np.max(-np.diff(spots.profile, axis=1) / np.diff(RING_MM), axis=1, initial=0.0)
    return steepest


def _slope(spots: _Measured) -> _Floats:
    first: _Floats = np.abs(np.fft.rfft(spots.far, axis=1)[:, 1]) / (DIRECTIONS // 2)
    return first


def _series(names: tuple[str, ...], values: Callable[[_Measured], _Floats]) -> dict[str, _Column]:
    """Return one column for each name: the first column of `values`, the second, and so on."""

    def column(k: int) -> _Column:
        return lambda spots: values(spots)[:, k]

    return {name: column(k) for k, name in enumerate(names)}


def _numbered(stem: str, numbers: tuple[int, ...] | range) -> tuple[str, ...]:
    return tuple(f"{stem}_{k}" for k in numbers)


_CURVATURES = range(CURVATURE_MM.size)

_COLUMNS: dict[str, _Column] = {
    "snr": lambda spots: spots.snr,
    "log_scale": lambda spots: np.log(spots.scale_mm),
    "contrast": lambda spots: spots.contrast,
    **_series(_numbered("band", range(_BANDS)), lambda spots: spots.bands),
    **_series(_numbered("band_share", range(_BANDS)), _band_shares),
    **_series(_numbered("ring", range(RING_MM.size)), lambda spots: spots.profile),
    "sharpness": _sharpness,
    "undershoot": lambda spots: spots.profile[:, : _OUTER.start].min(axis=1, initial=0.0),
    **_series(("roundness_own", *_numbered("roundness", _CURVATURES)), lambda spots: spots.roundness),
    **_series(("stretch_own", *_numbered("stretch", _CURVATURES)), lambda spots: spots.stretch),
    "line_near": lambda spots: _through(spots.near),
    "line_far": lambda spots: _through(spots.far),
    "arm_near": lambda spots: spots.near.max(axis=1),
    "arm_far": lambda spots: spots.far.max(axis=1),
    "uneven_near": lambda spots: spots.near.std(axis=1),
    "uneven_far": lambda spots: spots.far.std(axis=1),
    "relief": lambda spots: np.log(spots.far.std(axis=1) * spots.at_least + 0.1),
    "slope": _slope,
    **_series(_numbered("spread_ratio", _SPREAD_BANDS), lambda spots: spots.spread_ratio),
    **_series(OBSERVER_NAMES, lambda spots: spots.observed),
}

FEATURE_NAMES: tuple[str, ...] = tuple(_COLUMNS)
"""Names of the columns that `describe_spots` returns; none depends on the unit of the grey levels."""


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
    measured = _measure(pixels, spots, spacing)
    table = np.stack([column(measured) for column in _COLUMNS.values()], axis=1)
    finite: npt.NDArray[np.float32] = np.clip(np.nan_to_num(table, nan=0.0), -1e4, 1e4).astype(np.float32)
    return finite


def _measure(pixels: npt.NDArray[np.float32], spots: Candidates, spacing: PixelSpacing) -> _Measured:
    """Measure bands, curvature, rings and directions at every spot."""
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
    background = np.median(rings[:, _OUTER].mean(axis=1), axis=1)
    contrast = means[:, 1] - background
    at_least = np.maximum(contrast, 0.3)
    roundness, stretch = _curvature(curvature, at_least)
    near, far = (
        (rings[:, part].mean(axis=1) - background[:, None]) / at_least[:, None] for part in (_NEAR, _FAR)
    )
    usual = np.median(spots.spread, axis=(1, 2))[list(_SPREAD_BANDS)]
    return _Measured(
        snr=spots.snr,
        scale_mm=scale_mm,
        contrast=contrast,
        at_least=at_least,
        bands=bands,
        profile=(rings.mean(axis=2) - background[:, None]) / at_least[:, None],
        roundness=roundness,
        stretch=stretch,
        near=near,
        far=far,
        spread_ratio=np.log(local[:, list(_SPREAD_BANDS)] / usual),
        observed=observe(bands, local, spots.covariance, levels_mm, spacing.mean_mm),
    )


def refined_scale_mm(
    features: npt.NDArray[np.float32], band: npt.NDArray[np.int64], levels_mm: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the scale at which a spot answers most strongly, more finely than the bands lie.

    A parabola is laid through the strongest band and its two neighbours, over the logarithm of scale. Its
    summit is the scale.

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
        Gaussian scales in mm, at most half a band away from the centre of the strongest band. For the
        first and the last band, which have one neighbour only, the centre itself.
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
