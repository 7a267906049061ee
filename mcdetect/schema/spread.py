"""Statistics of every measure of a group's members, and the columns that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mcdetect.schema.column import Column
from mcdetect.schema.measures import MEASURES, Measure
from mcdetect.schema.references import BETAL, CHAN, PYRADIOMICS, SHANNON

__all__ = ["BIN_OCTAVES", "BIN_SHARE", "STATISTICS", "Statistic", "has_log_bins", "spread_columns"]

# Judged: finer bins tell more apart, but few members leave most of them empty.
BIN_SHARE = 0.05
"""Width of the entropy's bins for measures between 0 and 1; the last bin takes in 1."""
BIN_OCTAVES = 0.25
"""Width of the entropy's bins for all others (sizes, intensities, ratios), in octaves (log2)."""


@dataclass(frozen=True)
class Statistic:
    """What a statistic of the members' values is, for any measure ``m``.

    Parameters
    ----------
    meaning, formula, twin, source, missing : str
        As those of a column; ``{m}`` stands for the name of the measure.
    like_measure : bool
        Whether it has the range of the measure.
    unit : str
        Its unit; None for that of the measure.
    """

    meaning: str
    formula: str
    twin: str = ""
    source: str = ""
    missing: str = ""
    like_measure: bool = False
    unit: str | None = None


_NONE_MEASURED = "no member was measured"
_ONE_MEASURED = "fewer than two members were measured"

STATISTICS: dict[str, Statistic] = {
    "mean": Statistic(
        "mean {m} of the members",
        "mean of {m}",
        "pyradiomics firstorder Mean of the members' values",
        CHAN,
        _NONE_MEASURED,
        like_measure=True,
    ),
    "sd": Statistic(
        "standard deviation of {m} (n - 1)",
        "standard deviation (n - 1) of {m}",
        "square root of pyradiomics firstorder Variance x n / (n - 1)",
        CHAN,
        _ONE_MEASURED,
    ),
    "cv": Statistic(
        "coefficient of variation of {m}",
        "standard deviation / mean of {m}",
        "",
        CHAN,
        f"{_ONE_MEASURED}, or the mean is 0",
        unit="",
    ),
    "iqr": Statistic(
        "interquartile range of {m}",
        "75th less 25th percentile of {m}",
        "pyradiomics firstorder InterquartileRange",
        BETAL,
        _NONE_MEASURED,
    ),
    "range": Statistic(
        "largest less smallest {m}",
        "largest less smallest {m}",
        "pyradiomics firstorder Range",
        PYRADIOMICS,
        _NONE_MEASURED,
    ),
    "entropy": Statistic(
        "Shannon entropy of {m} in fixed bins",
        "- sum p log2 p over bins from 0, each of {bins}",
        "pyradiomics firstorder Entropy with that binWidth",
        SHANNON,
        _NONE_MEASURED,
        unit="bit",
    ),
    "worst": Statistic(
        "{m} of the member that stands out most",
        "{worst} {m}",
        "pyradiomics firstorder {extreme}",
        CHAN,
        _NONE_MEASURED,
        like_measure=True,
    ),
    "second_worst": Statistic(
        "{m} of the second such member", "second {worst} {m}", "", CHAN, _ONE_MEASURED, like_measure=True
    ),
}
"""By the ending of the column's name."""


def has_log_bins(unit: str) -> bool:
    """Return whether the entropy of a measure with this unit is taken of its logarithm."""
    return unit != "0-1"


def spread_columns() -> tuple[Column, ...]:
    """Return the columns of a group that say how its members' measures spread."""
    return tuple(_spread(measure, name) for measure in MEASURES if measure.spread for name in STATISTICS)


def _spread(measure: Measure, name: str) -> Column:
    column, what = measure.column, STATISTICS[name]
    log = has_log_bins(column.unit)
    words = {
        "m": measure.name,
        "worst": measure.worst,
        "extreme": "Minimum" if measure.worst == "lowest" else "Maximum",
        "bins": f"{BIN_OCTAVES:g} in log2({measure.name})"
        if log
        else f"{BIN_SHARE:g} in {measure.name}, the last with {column.high:g}",
    }
    twin = what.twin.format(**words)
    return Column(
        f"{measure.name}_{name}",
        "float64",
        column.unit if what.unit is None else what.unit,
        what.meaning.format(**words),
        formula=what.formula.format(**words),
        low=column.low if what.like_measure else 0.0,
        high=_highest(name, column, what.like_measure),
        source=what.source,
        twin=f"{twin} of log2" if name == "entropy" and log else twin,
        missing=what.missing,
    )


def _highest(statistic: str, column: Column, like_measure: bool) -> float:
    if like_measure:
        return column.high
    return column.high - column.low if statistic in ("sd", "iqr", "range") else math.inf
