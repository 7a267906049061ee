"""Logistic regression with weights, drawn towards coefficients that are known before; of groups or of pools.

scikit-learn's has no prior other than zero and no pooling; without weights of patients and with a prior of
zero both give the same (a test compares them).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

__all__ = ["Pools", "fit_groups", "fit_pools"]

# Technical: Newton's method, and how a maximum is approached.
_STEPS = 50
_TOLERANCE = 1e-8
_SHARPNESS = (2.0, 16.0)  # of the smooth maximum, in turn
_MOST_ITERATIONS = 200  # of the quasi-Newton method, for each

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def fit_groups(
    values: _Floats, label: _Ints, weight: _Floats, prior: _Floats, strength: _Floats
) -> tuple[_Floats, float]:
    """Fit coefficients and intercept by Newton's method.

    Parameters
    ----------
    values : (n, k) float64 array
        Standardised.
    label : (n,) int64 array
        0 and 1, both present.
    weight : (n,) float64 array
    prior : (k,) float64 array
        Coefficients towards which the fit is drawn.
    strength : (k,) float64 array
        Variance of the coefficients about them; small draws strongly.

    Returns
    -------
    coefficients : (k,) float64 array
    intercept : float
        Not drawn anywhere.
    """
    design = np.column_stack([values, np.ones(len(values))])
    penalty = np.append(1.0 / strength, 0.0)
    base = np.append(prior, 0.0)
    mean = float(weight @ label) / float(weight.sum())
    beta = base.copy()
    beta[-1] = np.log(mean / (1.0 - mean)) - float(weight @ (values @ prior)) / float(weight.sum())

    def loss(of: _Floats) -> float:
        log_odds = design @ of
        fit = float(weight @ (np.logaddexp(0.0, log_odds) - label * log_odds))
        return fit + 0.5 * float(penalty @ (of - base) ** 2)

    now = loss(beta)
    for _ in range(_STEPS):
        p = 0.5 + 0.5 * np.tanh(0.5 * (design @ beta))
        gradient = design.T @ (weight * (label - p)) - penalty * (beta - base)
        curvature = (design * (weight * p * (1.0 - p))[:, None]).T @ design + np.diag(penalty)
        curvature[-1, -1] += 1e-12
        step = np.linalg.solve(curvature, gradient)
        factor = 1.0
        while (new := loss(beta + factor * step)) > now and factor > 1e-6:
            factor *= 0.5
        if new > now:
            break
        beta, now = beta + factor * step, new
        if np.abs(factor * step).max() < _TOLERANCE:
            break
    return beta[:-1], float(beta[-1])


@dataclass(frozen=True, eq=False)
class Pools:
    """Rows put together in pools, such as the groups of an image.

    Parameters
    ----------
    order : (n,) int64 array
        Rows, pool by pool.
    starts : (u,) int64 array
        Where each pool begins in that order.
    index : (n,) int64 array
        The pool of each row, in that order.
    names : (u,) int64 array
        Number of each pool, rising.
    first : (u,) int64 array
        A row of each.
    """

    order: _Ints
    starts: _Ints
    index: _Ints
    names: _Ints
    first: _Ints

    @classmethod
    def of(cls, unit: _Ints) -> Pools:
        """Put together the rows of each number."""
        names, first, inverse, counts = np.unique(
            unit, return_index=True, return_inverse=True, return_counts=True
        )
        order = np.argsort(inverse, kind="stable")
        starts = np.cumsum(counts) - counts
        return cls(order, starts, inverse[order], names, first)

    def soft(self, log_odds: _Floats, sharpness: float) -> tuple[_Floats, _Floats]:
        """Return log(sum(exp(s x))) / s of each pool, and the share of each row (in the pools' order)."""
        x = sharpness * log_odds[self.order]
        top = np.maximum.reduceat(x, self.starts)
        e = np.exp(x - top[self.index])
        total = np.add.reduceat(e, self.starts)
        return (top + np.log(total)) / sharpness, e / total[self.index]


def fit_pools(
    values: _Floats,
    label: _Ints,
    weight: _Floats,
    prior: _Floats,
    strength: _Floats,
    pools: Pools,
    pooling: str,
    start: tuple[_Floats, float],
) -> tuple[_Floats, float]:
    """Fit coefficients and intercept to labels of pools; which of their rows are positive is not known.

    Parameters
    ----------
    values : (n, k) float64 array
        Standardised rows.
    label, weight : (u,) arrays
        Of the pools.
    prior, strength
        As for `fit_groups`.
    pools : Pools
    pooling : {"max", "log-sum"}
        A maximum is approached by ever sharper sums.
    start : tuple
        Where to begin: coefficients and intercept.

    Returns
    -------
    coefficients : (k,) float64 array
    intercept : float
        Of each row.
    """
    rows = values[pools.order]

    def loss(of: _Floats, sharpness: float) -> tuple[float, _Floats]:
        beta = of[:-1]
        z, share = pools.soft(values @ beta, sharpness)
        z = z + of[-1]
        p = 0.5 + 0.5 * np.tanh(0.5 * z)
        residual = weight * (p - label)
        value = float(weight @ (np.logaddexp(0.0, z) - label * z)) + 0.5 * float(
            ((beta - prior) ** 2 / strength).sum()
        )
        gradient = rows.T @ (share * residual[pools.index]) + (beta - prior) / strength
        return value, np.append(gradient, residual.sum())

    found = np.append(*start)
    for sharpness in _SHARPNESS if pooling == "max" else (1.0,):
        found = minimize(
            loss, found, args=(sharpness,), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_ITERATIONS}
        ).x
    return found[:-1], float(found[-1])
