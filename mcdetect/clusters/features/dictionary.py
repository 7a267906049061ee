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
    "STABILITY_FILE",
    "Feature",
    "Level",
    "feature_dictionary",
    "stability_setup",
]

Level = Literal["calcification", "cluster"]

STABILITY_FILE = "stability.json"
"""Written by ``python -m benchmarks stability``."""

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
    icc_noise, icc_shift, icc_resampling : float
        Intra-class correlation ICC(2,1) on phantoms under another realisation of the noise, a shift by
        one pixel and resampling to coarser pixels. NaN where it was not measured, or does not vary.
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
    icc_noise: float = math.nan
    icc_shift: float = math.nan
    icc_resampling: float = math.nan

    @property
    def span(self) -> str:
        """The range in words."""
        if math.isinf(self.low):
            return "any" if math.isinf(self.high) else f"at most {self.high:g}"
        return f"{self.low:g} or more" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"

    @property
    def stability(self) -> tuple[str, str, str]:
        """The three correlations in two digits, empty where there is none."""
        first, second, third = (
            "" if math.isnan(value) else f"{value:.2f}"
            for value in (self.icc_noise, self.icc_shift, self.icc_resampling)
        )
        return first, second, third

    def rows(self) -> list[tuple[str, str]]:
        """Return the entry as pairs of a heading and a text."""
        named = zip(("noise", "one-pixel shift", "resampling"), self.stability, strict=True)
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
            ("stability", ", ".join(f"{what} {icc or 'not measured'}" for what, icc in named)),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the entry with None in place of what is infinite or not a number, as JSON needs it."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
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


@cache
def _everything() -> tuple[Feature, ...]:
    stability = stability_setup()
    found = []
    for level, columns in _COLUMNS.items():
        for column in columns:
            if not column.formula:
                continue
            icc = stability.get(level, {}).get(column.name, {})
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
                    **{f"icc_{name}": _number(icc.get(name)) for name in ("noise", "shift", "resampling")},
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


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
