"""How much the measures of an unchanged group differ between two exposures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["Repeatability", "default_repeatability"]

_FORMAT = "mcdetect repeatability 1"
_MEASURES = ("hull_area", "density", "heterogeneity")


@dataclass(frozen=True)
class Repeatability:
    """Standard deviations of the change of unchanged groups.

    Parameters
    ----------
    number_variance : (float, float)
        The variance of the change in number is the first plus the second times the members.
    hull_area, density, heterogeneity : float
        SD of the change at ten members, relative to the mean of the two; it falls as one over the
        root of the members.
    diameter : float
        SD of the change of one calcification's diameter, relative to the mean of the two.
    about : dict
        How they were measured.
    """

    number_variance: tuple[float, float]
    hull_area: float
    density: float
    heterogeneity: float
    diameter: float
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> Repeatability:
        """Read the values; only numbers are read, nothing is run."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise ValueError(f"not a table of repeatability (expected format {_FORMAT!r})")
        found = cls(
            (float(data["number_variance"][0]), float(data["number_variance"][1])),
            float(data["hull_area"]),
            float(data["density"]),
            float(data["heterogeneity"]),
            float(data["diameter"]),
            dict(data.get("about", {})),
        )
        values = (*found.number_variance, found.hull_area, found.density, found.heterogeneity, found.diameter)
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise ValueError("the standard deviations must be finite and not negative")
        return found

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        data = {
            "format": _FORMAT,
            "number_variance": list(self.number_variance),
            "hull_area": self.hull_area,
            "density": self.density,
            "heterogeneity": self.heterogeneity,
            "diameter": self.diameter,
            "about": self.about,
        }
        return json.dumps(data, indent=1) + "\n"

    def number_sd(self, members: float) -> float:
        """SD of the change in number of a group of so many members (mean of the two)."""
        return math.sqrt(self.number_variance[0] + self.number_variance[1] * max(members, 0.0))

    def relative_sd(self, measure: str, members: float) -> float:
        """SD of the relative change of "hull_area", "density" or "heterogeneity"."""
        if measure not in _MEASURES:
            raise ValueError(f"no repeatability of {measure!r}; known: {', '.join(_MEASURES)}")
        return float(getattr(self, measure)) * math.sqrt(10.0 / max(members, 2.0))


@cache
def default_repeatability() -> Repeatability:
    """Return the values that come with the package (`python -m benchmarks repeatability` made them)."""
    text = resources.files("mcdetect.models").joinpath("repeatability.json").read_text(encoding="utf-8")
    return Repeatability.from_json(text)
