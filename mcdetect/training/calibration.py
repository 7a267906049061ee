"""Platt's calibration: a straight line from log-odds to the log-odds of a probability."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["fit_line", "fit_sigmoid"]

# Technical: Newton's method.
_STEPS = 60  # at most
_TOLERANCE = 1e-10  # of a step in log-odds, below which it has converged

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def fit_line(log_odds: _Floats, target: _Floats, weight: _Floats | None = None) -> tuple[float, float]:
    """Fit slope and intercept of a logistic regression on one variable by Newton's method.

    Parameters
    ----------
    log_odds : (n,) float64 array
    target : (n,) float64 array
        Between 0 and 1.
    weight : (n,) float64 array, optional

    Returns
    -------
    slope, intercept : float
        Not-a-number where they do not exist (one class only, or classes that are perfectly apart).
    """
    weight = np.ones_like(log_odds) if weight is None else weight
    total = float(weight.sum())
    mean = float(weight @ target) / total if total > 0 else 0.0
    if not 0.0 < mean < 1.0:
        return float("nan"), float("nan")
    middle = float(weight @ log_odds) / total
    spread = float(np.sqrt(weight @ (log_odds - middle) ** 2 / total))
    if spread <= 1e-12 * max(1.0, abs(middle)):
        return float("nan"), float("nan")
    x = (log_odds - middle) / spread
    design = np.column_stack([x, np.ones_like(x)])
    beta = np.array([0.0, np.log(mean / (1.0 - mean))])
    loss = _loss(design @ beta, target, weight)
    for _ in range(_STEPS):
        p = 0.5 + 0.5 * np.tanh(0.5 * (design @ beta))
        gradient = design.T @ (weight * (target - p))
        curvature = (design * (weight * p * (1.0 - p))[:, None]).T @ design
        if not np.linalg.det(curvature) > 1e-12 * total**2:
            return float("nan"), float("nan")
        step = np.linalg.solve(curvature, gradient)
        factor = 1.0
        while (new := _loss(design @ (beta + factor * step), target, weight)) > loss and factor > 1e-6:
            factor *= 0.5
        beta, loss = beta + factor * step, min(new, loss)
        if np.abs(factor * step).max() < _TOLERANCE:
            break
    slope = float(beta[0]) / spread
    return slope, float(beta[1]) - slope * middle


def _loss(log_odds: _Floats, target: _Floats, weight: _Floats) -> float:
    return float(weight @ (np.logaddexp(0.0, log_odds) - target * log_odds))


def fit_sigmoid(log_odds: _Floats, label: _Ints, weight: _Floats | None = None) -> tuple[float, float]:
    """Fit Platt's calibration to log-odds of rows that the model has not seen.

    Parameters
    ----------
    log_odds : (n,) float64 array
    label : (n,) int64 array
        0 and 1.
    weight : (n,) float64 array, optional

    Returns
    -------
    slope, intercept : float
        Not-a-number where they do not exist; a slope that is not positive means that the model ranks no
        better than chance.

    Notes
    -----
    Targets are drawn in by Platt's rule, (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) (Platt, Advances in Large
    Margin Classifiers, 1999; fitted as in Lin, Lin and Weng, doi:10.1007/s10994-007-5018-6), so the slope
    exists also for classes that are perfectly apart.
    """
    weight = np.ones(label.size) if weight is None else weight
    n1 = float(weight @ label)
    n0 = float(weight.sum()) - n1
    target = np.where(label == 1, (n1 + 1.0) / (n1 + 2.0), 1.0 / (n0 + 2.0))
    return fit_line(log_odds, target, weight)
