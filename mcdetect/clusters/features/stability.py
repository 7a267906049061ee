"""How well a feature repeats: the intra-class correlation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["intraclass_correlation"]

# Judged: with fewer, a correlation says next to nothing.
_LEAST = 3
"""Subjects below which no correlation is given."""


def intraclass_correlation(values: npt.ArrayLike) -> float:
    """Return ICC(2,1): two-way random effects, absolute agreement, one measurement.

    Parameters
    ----------
    values : (subjects, measurements) array-like of float
        The same feature of each subject, measured repeatedly. Subjects of which a value is not finite
        are left out.

    Returns
    -------
    float
        1 when every measurement agrees, about 0 when subjects cannot be told apart; may be slightly
        negative. NaN with fewer than three subjects, or when nothing varies.

    Notes
    -----
    Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420. A bias between measurements counts as
    disagreement. Below 0.5 is called poor, to 0.75 moderate, to 0.9 good, and excellent above (Koo and
    Li 2016, doi:10.1016/j.jcm.2016.02.012).
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(
            f"values must be (subjects, measurements) with two measurements or more, got {table.shape}"
        )
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    if n < _LEAST:
        return math.nan
    centred = table - table.mean()
    of_subjects, of_repeats = centred.mean(axis=1), centred.mean(axis=0)
    rest = centred - of_subjects[:, None] - of_repeats[None, :]
    subjects = k * float(np.sum(of_subjects**2)) / (n - 1)
    repeats = n * float(np.sum(of_repeats**2)) / (k - 1)
    error = float(np.sum(rest**2)) / ((n - 1) * (k - 1))
    total = subjects + (k - 1) * error + k * (repeats - error) / n
    scale = float(np.abs(table).max())
    if not total > 1e-20 * scale**2:
        return math.nan
    return float((subjects - error) / total)
