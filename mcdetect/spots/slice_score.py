"""Individual score of spots in a stack of slices: looks in the sharpest slice, and the slices beside it.

A place of a breast is looked at in every slice, so noise and crossing lines have many chances to look like a
calcification. What tells is how a spot fades from slice to slice, besides what it looks like in its own: a
calcification fades on both sides, at its place, as fast as the sweep makes it. The wider the sweep, the
faster, and the more independent slices there are.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.models.linear import BOUNDS, LISTS, Linear
from mcdetect.spots.appearance import FEATURE_NAMES
from mcdetect.spots.score import DigitalScore, SpotModel, digital_score

__all__ = [
    "BESIDE_MM",
    "FORMAT",
    "SLICE_FEATURES",
    "PlainScore",
    "SliceScore",
    "bent",
    "slice_features",
    "slice_score",
]

FORMAT = "mcdetect slice score 2"

_Floats = npt.NDArray[np.float64]

# Judged: on drawn slices; python -m benchmarks slice_score fits the weights.
BESIDE_MM = (1.0, 2.0, 3.0, 4.0)
"""How far away the slices lie, on both sides, whose response at the place of a spot is asked."""
_LEAST = -1.0  # response of a neighbouring slice that counts, in SD
_HOPELESS = (-8.0, -9.0)  # by the general model and that of digital images: the rest need not be asked
_ROUGHLY_HOPELESS = -10.0  # the same by features at a rough scale
_MOST_SNR = 12.0  # beyond it a spot is no more certain
_USUAL_ANGLE_DEG = 12.5  # where the sweep is not known

_STEPS = len(BESIDE_MM)
_MEANS = tuple(f"mean_{mm:.0f}" for mm in BESIDE_MM)
_LEASTS = tuple(f"least_{mm:.0f}" for mm in BESIDE_MM)
_FADING = (*_MEANS, *_LEASTS)

SLICE_FEATURES: tuple[str, ...] = (
    "general",
    "digital",
    "log_snr",
    "bounded_snr",
    *FEATURE_NAMES,
    *(f"near_{name}" for name in _FADING),
    *(f"at_{name}" for name in _FADING),
    *(f"near_share_{name}" for name in _FADING),
    *(f"at_share_{name}" for name in _FADING),
    "sweep",
    *(f"sweep_near_share_{name}" for name in _FADING),
)
"""``near_``: greatest response within 0.25 mm of the place, ``at_``: at it; mean and least of both sides."""


def slice_features(
    features: npt.NDArray[np.float32], near: _Floats, model: DigitalScore, half_angle_deg: float | None
) -> _Floats:
    """Return what the score is made of.

    Parameters
    ----------
    features : (n, len(FEATURE_NAMES)) float32 array
        As `describe_spots` returns them.
    near : (n, 4 * len(BESIDE_MM)) float64 array
        Response, about the same place, of the slices before and behind, in their order: the greatest within
        0.25 mm, then that at the place.
    model : DigitalScore
        Scores of plain mammograms.
    half_angle_deg : float, optional
        How far the tube went to either side.

    Returns
    -------
    (n, len(SLICE_FEATURES)) float64 array
    """
    wide = features.astype(np.float64)
    snr = wide[:, FEATURE_NAMES.index("snr")]
    at_least_one = np.maximum(snr, 1.0)[:, None]
    about = _fading(near[:, : 2 * _STEPS])
    exactly = _fading(near[:, 2 * _STEPS :])
    angle = half_angle_deg if half_angle_deg is not None and half_angle_deg > 0 else _USUAL_ANGLE_DEG
    sweep = math.log(math.tan(math.radians(angle)))
    return np.concatenate(
        [
            model.general.log_odds(features)[:, None],
            model.digital.log_odds(features)[:, None],
            np.log(at_least_one),
            np.minimum(snr, _MOST_SNR)[:, None],
            wide,
            about,
            exactly,
            about / at_least_one,
            exactly / at_least_one,
            np.full((len(wide), 1), sweep),
            sweep * about / at_least_one,
        ],
        axis=1,
    )


def _fading(near: _Floats) -> _Floats:
    """Return mean and least response of the two slices at each distance, the nearest first."""
    beside = np.maximum(near, _LEAST)
    before, behind = beside[:, :_STEPS][:, ::-1], beside[:, _STEPS:]
    return np.concatenate([(before + behind) / 2.0, np.minimum(before, behind)], axis=1)


def bent(values: _Floats, knots: _Floats) -> _Floats:
    """Return features, and how far each exceeds its knots: weights of these make bent lines of it.

    Parameters
    ----------
    values : (n, features) float64 array
    knots : (k, features) float64 array
    """
    return np.concatenate([values, *(np.maximum(values - row, 0.0) for row in knots)], axis=1)


@dataclass(frozen=True)
class SliceScore:
    """A weighted sum of bent features of a spot, on the log-odds scale; 0 is the operating point.

    Parameters
    ----------
    looks : DigitalScore
        Scores of plain mammograms, which are features.
    knots : (k, len(SLICE_FEATURES)) float64 array
    weights : Linear
        Over `SLICE_FEATURES`, bent.
    half_angle_deg : float, optional
        Of the sweep.
    """

    looks: DigitalScore
    knots: _Floats
    weights: Linear
    half_angle_deg: float | None = None

    def log_odds(self, features: npt.NDArray[np.float32], near: _Floats) -> _Floats:
        """Return the score; see `slice_features`."""
        general, digital = self.looks.general.log_odds(features), self.looks.digital.log_odds(features)
        out = np.minimum(general, min(_HOPELESS))
        likely = np.flatnonzero((general > _HOPELESS[0]) & (digital > _HOPELESS[1]))
        values = slice_features(features[likely], near[likely], self.looks, self.half_angle_deg)
        out[likely] = self.weights.log_odds(bent(values, self.knots))
        return out

    def worth(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Tell, by features at a rough scale, which spots are worth describing at their own."""
        return np.asarray(self.looks.general.log_odds(features) > _ROUGHLY_HOPELESS)

    @classmethod
    def from_json(cls, text: str, looks: DigitalScore) -> SliceScore:
        """Read the weights; only numbers and names are read, nothing is run."""
        data: dict[str, Any] = json.loads(text)
        if data.get("format") != FORMAT or tuple(data["features"]) != SLICE_FEATURES:
            raise ValueError("a score of slices that was fitted on other features")
        arrays = {name: np.asarray(data[name], np.float64) for name in (*LISTS, *BOUNDS)}
        knots = np.asarray(data["knots"], np.float64)
        return cls(looks, knots, Linear(intercept=float(data["intercept"]), **arrays))


@dataclass(frozen=True)
class PlainScore:
    """A score of plain mammograms, used on slices: less likely by so much, since there are many slices.

    Parameters
    ----------
    model : SpotModel or DigitalScore
    prior : float
        Added to the log-odds.
    """

    model: SpotModel | DigitalScore
    prior: float = 0.0

    def log_odds(self, features: npt.NDArray[np.float32], near: _Floats) -> _Floats:
        """Return the score; the neighbouring slices do not count."""
        return self.model.log_odds(features) + self.prior

    def worth(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Tell, by features at a rough scale, which spots are worth describing at their own."""
        return np.asarray(self.model.log_odds(features) > _ROUGHLY_HOPELESS)


@cache
def slice_score() -> SliceScore:
    """Return the score that comes with the package (`python -m benchmarks slice_score` made it)."""
    text = resources.files("mcdetect.models").joinpath("slice_score.json").read_text(encoding="utf-8")
    return SliceScore.from_json(text, digital_score())
