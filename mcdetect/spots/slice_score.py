"""Individual score of spots in a stack of slices: looks in the sharpest slice, and the slices beside it.

A place of a breast is looked at in every slice, so noise and crossing lines have many chances to look like a
calcification. What tells is how a spot fades from slice to slice, besides the scores of plain mammograms.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.models.linear import BOUNDS, LISTS, Linear
from mcdetect.spots.appearance import FEATURE_NAMES
from mcdetect.spots.score import DigitalScore, SpotModel, digital_score

__all__ = ["FORMAT", "SLICE_FEATURES", "PlainScore", "SliceScore", "slice_features", "slice_score"]

FORMAT = "mcdetect slice score 1"

_Floats = npt.NDArray[np.float64]
_Column = Callable[[_Floats, _Floats], _Floats]

# Judged: features that separate on drawn slices; python -m benchmarks slice_score fits their weights.
_LOOKS = (
    "body_best",
    "body_misfit",
    "log_scale",
    "line_near",
    "line_far",
    "contrast",
    "sharpness",
    "stretch_own",
    "roundness_own",
    "relief",
    "spread_ratio_1",
    "spread_ratio_5",
    "body_0",
    "body_2",
    "body_4",
)
_LEAST = -1.0  # response of a neighbouring slice that counts, in SD
_HOPELESS = -8.0  # by the general model: the rest need not be asked
_ROUGHLY_HOPELESS = -10.0  # the same by features at a rough scale
_MOST_SNR = 12.0  # beyond it a spot is no more certain

_DEPTH: dict[str, _Column] = {
    "one_away": lambda snr, near: near[:, 1:3].mean(axis=1),
    "two_away": lambda snr, near: near[:, [0, 3]].mean(axis=1),
    "one_away_least": lambda snr, near: near[:, 1:3].min(axis=1),
    "one_away_share": lambda snr, near: near[:, 1:3].mean(axis=1) / np.maximum(snr, 1.0),
    "two_away_share": lambda snr, near: near[:, [0, 3]].mean(axis=1) / np.maximum(snr, 1.0),
}
"""Response of the slices one and two mm away, on both sides, at the place of a spot."""

SLICE_FEATURES: tuple[str, ...] = ("general", "digital", "log_snr", "snr", *_DEPTH, *_LOOKS)


def slice_features(features: npt.NDArray[np.float32], near: _Floats, model: DigitalScore) -> _Floats:
    """Return what the score is made of.

    Parameters
    ----------
    features : (n, len(FEATURE_NAMES)) float32 array
        As `describe_spots` returns them.
    near : (n, 4) float64 array
        Response, at the same place, of the slices 2 mm and 1 mm before and 1 mm and 2 mm behind.
    model : DigitalScore
        Scores of plain mammograms.

    Returns
    -------
    (n, len(SLICE_FEATURES)) float64 array
    """
    wide = features.astype(np.float64)
    snr = wide[:, FEATURE_NAMES.index("snr")]
    beside = np.maximum(near, _LEAST)
    columns = [
        model.general.log_odds(features),
        model.digital.log_odds(features),
        np.log(np.maximum(snr, 1.0)),
        np.minimum(snr, _MOST_SNR),
        *(column(snr, beside) for column in _DEPTH.values()),
        *(wide[:, FEATURE_NAMES.index(name)] for name in _LOOKS),
    ]
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class SliceScore:
    """A weighted sum of features of a spot, on the log-odds scale; 0 is the operating point.

    Parameters
    ----------
    looks : DigitalScore
        Scores of plain mammograms, which are features.
    weights : Linear
        Over `SLICE_FEATURES`.
    """

    looks: DigitalScore
    weights: Linear

    def log_odds(self, features: npt.NDArray[np.float32], near: _Floats) -> _Floats:
        """Return the score; see `slice_features`."""
        out = self.looks.general.log_odds(features)
        likely = np.flatnonzero(out > _HOPELESS)
        out[likely] = self.weights.log_odds(slice_features(features[likely], near[likely], self.looks))
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
        return cls(looks, Linear(intercept=float(data["intercept"]), **arrays))


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
