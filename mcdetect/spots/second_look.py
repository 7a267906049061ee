"""A second look at what may be a calcification: its features, what lies around it, and where in the breast.

A few small neural networks tell, and their mean is taken. Their numbers are kept as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.spots.appearance import FEATURE_NAMES
from mcdetect.spots.neighbours import NEIGHBOUR_NAMES

__all__ = [
    "COLUMNS",
    "FORMAT",
    "MOST_RAISED",
    "PLACE_NAMES",
    "SHARE",
    "Net",
    "SecondLook",
    "asked_again",
    "default_second_look",
    "second_look_rows",
]

FORMAT = "mcdetect second look 1"

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.intp]

# Judged: on real mammograms with every calcification marked, by models that did not see the woman. The second
# look is fitted with these (python -m benchmarks second_look): fit it again after a change.
_WORTH = -5.0
"""Above this, by the first look, a spot is worth a second. One in thirty is; the rest keep their score."""
SHARE = 0.8
"""Weight of the second look in the score; the rest is that of the first look and its context."""
MOST_RAISED = 2.0
"""How much the second look raises log-odds at most: it may be far off on what it was not fitted to."""
MOST_SKIN_MM, MOST_CHEST_MM = 40.0, 120.0
"""Larger distances to the skin line and to the chest wall tell nothing more."""

PLACE_NAMES = ("density", "depth", "skin_mm", "chest_mm", "in_pectoral")
"""Where in the breast a spot lies: rank of the density there, depth from skin line (0) to chest wall (1),
distances to both, and whether the pectoral muscle is behind it."""

COLUMNS: tuple[str, ...] = (*FEATURE_NAMES, "general", *NEIGHBOUR_NAMES, *PLACE_NAMES)
"""What the second look is made of; `general` are the log-odds by the general model."""

Net = tuple[tuple[_Floats, _Floats], ...]
"""Weights (inputs, outputs) and offsets (outputs,) of each layer of a network."""


@dataclass(frozen=True)
class SecondLook:
    """The mean of small networks, on the log-odds scale.

    Parameters
    ----------
    medians : (columns,) float64 array
        What stands for a value that is not known.
    lows, highs, means, scales : (columns,) float64 arrays
        Values are cut to the first two, less the third, over the fourth.
    nets : tuple of Net
        Each gives log-odds; between layers what is negative becomes 0.
    shift : float
        Taken off, so that 0 is the operating point.
    about : dict
        How it was fitted.
    """

    medians: _Floats
    lows: _Floats
    highs: _Floats
    means: _Floats
    scales: _Floats
    nets: tuple[Net, ...]
    shift: float
    about: dict[str, Any]

    def __post_init__(self) -> None:
        sides = (self.medians, self.lows, self.highs, self.means, self.scales)
        if any(side.shape != (len(COLUMNS),) for side in sides) or not self.nets:
            raise ValueError("a second look that lacks entries")
        for net in self.nets:
            inputs = len(COLUMNS)
            for weight, offset in net:
                if weight.shape != (inputs, offset.size):
                    raise ValueError("a network whose layers do not fit")
                inputs = offset.size
            if inputs != 1:
                raise ValueError("a network that gives no single number")

    def log_odds(self, rows: npt.NDArray[np.float32]) -> _Floats:
        """Return the score on the log-odds scale; 0 is the operating point.

        Parameters
        ----------
        rows : (n, len(COLUMNS)) float32 array
            As `second_look_rows` returns them.

        Returns
        -------
        (n,) float64 array
        """
        wide = rows.astype(np.float64)
        known = np.where(np.isfinite(wide), wide, self.medians)
        values = (np.clip(known, self.lows, self.highs) - self.means) / self.scales
        out = np.zeros(len(rows))
        for net in self.nets:
            layer = values
            for k, (weight, offset) in enumerate(net):
                layer = (np.maximum(layer, 0.0) if k else layer) @ weight + offset
            out += layer[:, 0]
        return out / len(self.nets) - self.shift

    def to_json(self) -> str:
        """Write it: numbers and names only."""

        def rounded(values: Iterable[float]) -> list[float]:
            return [float(f"{value:.5g}") for value in values]

        data: dict[str, Any] = {"format": FORMAT, "about": self.about, "columns": list(COLUMNS)}
        for name in ("medians", "lows", "highs", "means", "scales"):
            data[name] = rounded(getattr(self, name))
        data["shift"] = self.shift
        data["nets"] = [
            [
                {"weight": [rounded(row) for row in weight], "offset": rounded(offset)}
                for weight, offset in net
            ]
            for net in self.nets
        ]
        return json.dumps(data) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SecondLook:
        """Read it; only numbers and names are read, nothing is run.

        Raises
        ------
        ValueError
            When it is no second look, or was fitted on other columns.
        """
        data = json.loads(text)
        if data.get("format") != FORMAT or tuple(data["columns"]) != COLUMNS:
            raise ValueError("a second look that was fitted on other columns")
        sides = ("medians", "lows", "highs", "means", "scales")
        nets = tuple(
            tuple(
                (np.asarray(layer["weight"], np.float64), np.asarray(layer["offset"], np.float64))
                for layer in net
            )
            for net in data["nets"]
        )
        arrays = {name: np.asarray(data[name], np.float64) for name in sides}
        return cls(**arrays, nets=nets, shift=float(data["shift"]), about=dict(data["about"]))


def asked_again(log_odds: _Floats) -> _Ints:
    """Return the numbers of the spots that are worth a second look, by the log-odds of the first."""
    return np.flatnonzero(log_odds > _WORTH)


def second_look_rows(
    features: npt.NDArray[np.float32], general: _Floats, around: npt.NDArray[np.float32], place: _Floats
) -> npt.NDArray[np.float32]:
    """Return what the second look is made of.

    Parameters
    ----------
    features : (n, len(FEATURE_NAMES)) float32 array
        As `describe_spots` returns them.
    general : (n,) float64 array
        Log-odds by the general model.
    around : (n, len(NEIGHBOUR_NAMES)) float32 array
        As `describe_neighbours` returns it.
    place : (n, len(PLACE_NAMES)) float64 array
        Where in the breast; NaN where that is not known.

    Returns
    -------
    (n, len(COLUMNS)) float32 array
    """
    most = np.array([np.inf, np.inf, MOST_SKIN_MM, MOST_CHEST_MM, np.inf])
    return np.concatenate(
        [features, general[:, None], around, np.minimum(place, most)], axis=1, dtype=np.float32
    )


@cache
def default_second_look() -> SecondLook:
    """Return the one that comes with the package (`python -m benchmarks second_look` made it)."""
    text = resources.files("mcdetect.models").joinpath("second_look.json").read_text(encoding="utf-8")
    return SecondLook.from_json(text)
