"""The figures of one detector, with the bootstrap samples that give their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcdetect.validation.evaluation.bootstrap import difference_p_value, interval
from mcdetect.validation.evaluation.cases import Floats, Ints
from mcdetect.validation.evaluation.froc import (
    MOST_THRESHOLDS,
    Counts,
    count,
    found_at,
    partial_area,
    rates,
    thresholds,
)
from mcdetect.validation.evaluation.jafroc import figure_of_merit
from mcdetect.validation.evaluation.options import Options
from mcdetect.validation.evaluation.subsets import Subset
from mcdetect.validation.evaluation.tally import Axis, Tally, axes_of

__all__ = ["Figure", "curve_table", "differences_table", "figures", "summary_table"]

_MOST_ROWS = 2000  # Technical: points of a curve in its table; more are thinned


@dataclass(frozen=True)
class Figure:
    """One figure of merit.

    Attributes
    ----------
    measure : str
        ``sensitivity``, ``partial_area``, ``end_sensitivity``, ``end_false_positives``, ``jafroc``,
        ``jafroc1``.
    by, bin : str
        Part of the lesions, empty for all.
    lesions : int
        How many there are.
    pool, unit : str
        How false positives are counted.
    at : float
        Rate or limit, not-a-number for none.
    value : float
    threshold : float
        Score at which a sensitivity is had, not-a-number for none.
    samples : (b,) float64
        The figure in every bootstrap sample.
    reached : bool
        The curve goes on beyond `at`; otherwise all marks together give no more.
    """

    measure: str
    by: str
    bin: str
    lesions: int
    pool: str
    unit: str
    at: float
    value: float
    threshold: float
    samples: Floats
    reached: bool = True


def _at_steps(counts: Counts, steps: Ints) -> Floats:
    """Return sensitivity after a given number of thresholds; (r, b) in and out."""
    padded = np.concatenate([np.zeros((1, counts.found.shape[1])), counts.found])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.take_along_axis(padded, steps, axis=0) / counts.lesions)


def figures(tally: Tally, subsets: list[Subset], weight: Floats, options: Options) -> list[Figure]:
    """Return every figure of a detector.

    Parameters
    ----------
    tally : Tally
    subsets : list of Subset
        Parts of the lesions of the tally.
    weight : (patients, b) float64
        Bootstrap samples.
    options : Options
    """
    ones = np.ones((weight.shape[0], 1))
    fine, coarse = thresholds(tally), thresholds(tally, MOST_THRESHOLDS)
    axes = axes_of(tally.images, options.units)
    plain, drawn = count(tally, ones, fine, axes), count(tally, weight, coarse, axes)
    total = len(tally.rating)
    found: list[Figure] = []
    used: dict[Axis, tuple[Ints, Ints]] = {}
    for axis in axes:
        asked = np.asarray(options.rates(axis.unit))
        value, steps = found_at(plain, axis, asked)
        samples, sample_steps = found_at(drawn, axis, asked)
        used[axis] = steps, sample_steps
        score = np.concatenate([[np.inf], fine])[steps[:, 0]]
        for number, rate in enumerate(asked.tolist()):
            more = bool(steps[number, 0] < len(fine))
            row = float(value[number, 0]), float(score[number]), samples[number], more
            found.append(Figure("sensitivity", "", "", total, axis.pool, axis.unit, rate, *row))
        limit = options.limit(axis.unit)
        area, areas = partial_area(plain, axis, limit)[0], partial_area(drawn, axis, limit)
        found.append(
            Figure("partial_area", "", "", total, axis.pool, axis.unit, limit, float(area), np.nan, areas)
        )
        found += _end(plain, drawn, axis, total)
    for part in subsets:
        some = tally.subset(part.lesions)
        part_plain, part_drawn = count(some, ones, fine, []), count(some, weight, coarse, [])
        for axis in axes:
            value = _at_steps(part_plain, used[axis][0])
            samples = _at_steps(part_drawn, used[axis][1])
            found += [
                Figure("sensitivity", part.by, part.bin, len(some.rating), axis.pool, axis.unit, *row)
                for row in zip(
                    options.rates(axis.unit),
                    value[:, 0].tolist(),
                    [np.nan] * len(value),
                    samples,
                    strict=True,
                )
            ]
    for pool, name in (("normal", "jafroc"), ("all", "jafroc1")):
        value = figure_of_merit(tally, ones, pool)
        if np.isfinite(value[0]):
            samples = figure_of_merit(tally, weight, pool)
            found.append(Figure(name, "", "", total, pool, "", np.nan, float(value[0]), np.nan, samples))
    return found


def _end(plain: Counts, drawn: Counts, axis: Axis, total: int) -> list[Figure]:
    """Return where the curve ends: sensitivity and false positives of all marks."""
    marks = len(plain.threshold) > 0
    rate = float(rates(plain, axis)[-1, 0]) if marks else 0.0
    value = float(found_at(plain, axis, np.array([np.inf]))[0][0, 0])
    values = found_at(drawn, axis, np.array([np.inf]))[0][0]
    many = rates(drawn, axis)[-1] if marks else np.where(drawn.amount[axis] > 0, 0.0, np.nan)
    lowest = float(plain.threshold[-1]) if marks else np.nan
    return [
        Figure("end_sensitivity", "", "", total, axis.pool, axis.unit, rate, value, lowest, values),
        Figure("end_false_positives", "", "", total, axis.pool, axis.unit, np.nan, rate, lowest, many),
    ]


def summary_table(found: list[Figure], detector: str, confidence: float) -> pd.DataFrame:
    """Return the figures of a detector with their intervals, one row each."""
    rows = []
    for figure in found:
        low, high = interval(figure.samples, confidence)
        rows.append(
            {
                "detector": detector,
                "measure": figure.measure,
                "by": figure.by,
                "bin": figure.bin,
                "lesions": figure.lesions,
                "pool": figure.pool,
                "unit": figure.unit,
                "at": figure.at,
                "value": figure.value,
                "low": float(low),
                "high": float(high),
                "threshold": figure.threshold,
                "reached": figure.reached,
            }
        )
    return pd.DataFrame(rows)


def differences_table(first: list[Figure], second: list[Figure], confidence: float) -> pd.DataFrame:
    """Return the figures of a detector less those of another, in the same bootstrap samples."""
    rows = []
    for one, two in zip(first, second, strict=True):
        samples = one.samples - two.samples
        low, high = interval(samples, confidence)
        rows.append(
            {
                "measure": one.measure,
                "by": one.by,
                "bin": one.bin,
                "lesions": one.lesions,
                "pool": one.pool,
                "unit": one.unit,
                "at": np.nan if one.measure.startswith("end_") else one.at,
                "value": one.value,
                "other": two.value,
                "difference": one.value - two.value,
                "low": float(low),
                "high": float(high),
                "p_value": difference_p_value(samples),
            }
        )
    return pd.DataFrame(rows)


def curve_table(tally: Tally, weight: Floats, options: Options, detector: str) -> pd.DataFrame:
    """Return the free-response curves of a detector with their pointwise intervals.

    Returns
    -------
    DataFrame
        Columns detector, pool, unit, false_positives, threshold, sensitivity, low, high: the corners of
        the staircase from left to right, thinned to some two thousand.
    """
    axes = axes_of(tally.images, options.units)
    plain = count(tally, np.ones((weight.shape[0], 1)), thresholds(tally), axes)
    drawn = count(tally, weight, thresholds(tally, MOST_THRESHOLDS), axes)
    tables = []
    for axis in axes:
        rate, sensitivity = rates(plain, axis)[:, 0], plain.found[:, 0] / max(plain.lesions[0], 1.0)
        keep = np.arange(len(rate))
        if len(rate) > _MOST_ROWS:
            keep = np.unique(
                np.concatenate(
                    [
                        np.geomspace(1, len(rate), _MOST_ROWS // 2).astype(np.int64) - 1,
                        np.linspace(0, len(rate) - 1, _MOST_ROWS // 2).astype(np.int64),
                    ]
                )
            )
        band = found_at(drawn, axis, rate[keep])[0]
        low, high = interval(band, options.confidence)
        tables.append(
            pd.DataFrame(
                {
                    "detector": detector,
                    "pool": axis.pool,
                    "unit": axis.unit,
                    "false_positives": rate[keep],
                    "threshold": plain.threshold[keep],
                    "sensitivity": sensitivity[keep],
                    "low": low,
                    "high": high,
                }
            )
        )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
