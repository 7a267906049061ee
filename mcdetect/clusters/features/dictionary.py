"""The feature dictionary: every feature by name, with formula, unit, range, source and stability."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from mcdetect.schema import CALCIFICATIONS, CLUSTERS, Column

__all__ = [
    "LEAST_PAIRS",
    "LEAST_STABLE",
    "STABILITY_FILE",
    "Feature",
    "Level",
    "feature_dictionary",
    "stability_setup",
    "unstable_features",
]

Level = Literal["calcification", "cluster"]

STABILITY_FILE = "stability.json"
"""Written by ``python -m benchmarks stability``."""

# Standard: Koo and Li 2016, doi:10.1016/j.jcm.2016.02.012.
LEAST_STABLE = 0.5
"""Intra-class correlation below which reliability is poor, and a feature unstable."""
LEAST_PAIRS = 30
"""Pairs from which on a correlation on real images counts; with fewer, one pair may decide it."""

_CHANGES = ("noise", "shift", "resampling")

_COLUMNS: dict[Level, tuple[Column, ...]] = {"calcification": CALCIFICATIONS, "cluster": CLUSTERS}


@dataclass(frozen=True)
class Feature:
    """One entry of the feature dictionary.

    Parameters
    ----------
    name : str
        Name of the column.
    level : {"calcification", "cluster"}
        Which table it is in.
    meaning : str
        What it is, in a few words.
    formula : str
        How it is computed.
    unit : str
        Empty without one.
    low, high : float
        Range; infinite where there is no limit.
    source : str
        DOI or other reference; empty where the feature is our own.
    twin : str
        What pyradiomics and scikit-image call it.
    missing : str
        When the value is missing; empty for never.
    from_image : bool
        Whether it is measured in the image; all others follow from the tables by their formula.
    icc_noise, icc_shift, icc_resampling : float
        Intra-class correlation ICC(2,1) on phantoms under another realisation of the noise, a shift by
        one pixel and resampling to coarser pixels. NaN where it was not measured, or does not vary.
    icc_real_noise, icc_real_shift, icc_real_resampling : float
        The same on real images, where the shift is half a pixel.
    icc_real_views : float
        Of groups, between the two views of a breast.
    real_counts : tuple of str
        Changes of which real images give `LEAST_PAIRS` pairs or more.
    """

    name: str
    level: Level
    meaning: str
    formula: str
    unit: str
    low: float
    high: float
    source: str
    twin: str
    missing: str
    from_image: bool
    icc_noise: float = math.nan
    icc_shift: float = math.nan
    icc_resampling: float = math.nan
    icc_real_noise: float = math.nan
    icc_real_shift: float = math.nan
    icc_real_resampling: float = math.nan
    icc_real_views: float = math.nan
    real_counts: tuple[str, ...] = ()

    @property
    def span(self) -> str:
        """The range in words."""
        if math.isinf(self.low):
            return "any" if math.isinf(self.high) else f"at most {self.high:g}"
        return f"{self.low:g} or more" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"

    @property
    def stability(self) -> tuple[str, str, str]:
        """The three correlations on phantoms in two digits, empty where there is none."""
        return _digits(self.icc_noise), _digits(self.icc_shift), _digits(self.icc_resampling)

    @property
    def real_stability(self) -> tuple[str, str, str, str]:
        """The four correlations on real images in two digits, empty where there is none."""
        first, second, third = self.icc_real_noise, self.icc_real_shift, self.icc_real_resampling
        return _digits(first), _digits(second), _digits(third), _digits(self.icc_real_views)

    @property
    def stable(self) -> bool:
        """Whether it repeats: no correlation of one image with itself, changed, is below `LEAST_STABLE`.

        For each change that on real images counts, and that on phantoms where there is none or it comes from
        too few pairs. Two views are no change of one image and do not count. What was never measured is not
        stable.
        """
        known = []
        for name in _CHANGES:
            real, drawn = getattr(self, f"icc_real_{name}"), getattr(self, f"icc_{name}")
            known.append(real if name in self.real_counts and not math.isnan(real) else drawn)
        known = [value for value in known if not math.isnan(value)]
        return bool(known) and min(known) >= LEAST_STABLE

    def rows(self) -> list[tuple[str, str]]:
        """Return the entry as pairs of a heading and a text."""
        drawn = zip(("noise", "one-pixel shift", "resampling"), self.stability, strict=True)
        real = zip(("noise", "half-pixel shift", "resampling", "two views"), self.real_stability, strict=True)
        return [
            ("feature", self.name),
            ("level", self.level),
            ("meaning", self.meaning),
            ("formula", self.formula),
            ("unit", self.unit or "none"),
            ("range", self.span),
            ("missing when", self.missing or "never"),
            ("source", self.source or "this package"),
            ("other packages", self.twin or "none known"),
            ("computed from", "the image" if self.from_image else "other columns of the tables"),
            ("on phantoms", ", ".join(f"{what} {icc or 'not measured'}" for what, icc in drawn)),
            ("on real images", ", ".join(f"{what} {icc or 'not measured'}" for what, icc in real)),
            ("stable", "yes" if self.stable else "no: left out of default training"),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the entry with None in place of what is infinite or not a number, as JSON needs it."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in (asdict(self) | {"stable": self.stable}).items()
        }


def feature_dictionary(level: Level | None = None) -> tuple[Feature, ...]:
    """Return what every feature is.

    Parameters
    ----------
    level : {"calcification", "cluster"}, optional
        Only the features of this table; by default those of calcifications, then those of clusters.

    Returns
    -------
    tuple of Feature
        In the order of the columns of `calcifications.csv` and `clusters.csv`.
    """
    if level is not None and level not in _COLUMNS:
        raise ValueError(f"level must be 'calcification' or 'cluster', got {level!r}")
    return tuple(f for f in _everything() if level is None or f.level == level)


def unstable_features(level: Level | None = None) -> frozenset[str]:
    """Return the names of the features that do not repeat (`Feature.stable`), of one table or of both."""
    return frozenset(f.name for f in feature_dictionary(level) if not f.stable)


@cache
def _everything() -> tuple[Feature, ...]:
    stability = stability_setup()
    real = stability.get("real", {})
    found = []
    for level, columns in _COLUMNS.items():
        again = real.get("found_again", {}).get(level, {})
        counts = tuple(name for name in _CHANGES if again.get(name, [0])[0] >= LEAST_PAIRS)
        for column in columns:
            if not column.formula:
                continue
            icc = stability.get(level, {}).get(column.name, {})
            icc_real = real.get(level, {}).get(column.name, {})
            found.append(
                Feature(
                    name=column.name,
                    level=level,
                    meaning=column.meaning,
                    formula=column.formula,
                    unit="" if column.unit == "0-1" else column.unit,
                    low=column.low,
                    high=column.high,
                    source=column.source,
                    twin=column.twin,
                    missing=column.missing,
                    from_image=column.from_image,
                    real_counts=counts,
                    **{f"icc_{name}": _number(icc.get(name)) for name in _CHANGES},
                    **{f"icc_real_{name}": _number(icc_real.get(name)) for name in (*_CHANGES, "views")},
                )
            )
    return tuple(found)


def stability_setup() -> dict[str, Any]:
    """Return what the stability was measured on and the figures, as in `STABILITY_FILE`; empty without it."""
    file = files("mcdetect.clusters.features") / STABILITY_FILE
    if not file.is_file():
        return {}
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return data


def _digits(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
