"""Bodies behind blur: what a calcification of a given size looks like, and which sizes to expect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import i0e, roots_legendre

__all__ = ["PROFILE_STEP_MM", "RADIUS_MM", "Bodies", "blurred_bodies"]

# Technical: how finely bodies are drawn.
RADIUS_MM: npt.NDArray[np.float64] = np.geomspace(0.03, 1.2, 42)
"""Radii for which bodies are drawn, in mm; in equal ratios."""
PROFILE_STEP_MM = 0.02
"""Distance between the samples of a profile, in mm."""
REACH_MM = 1.2  # length of a profile, from the centre on

# Physics: thickness along the x-rays at distance r from the centre of a body of radius R.
EXPONENTS = (0.0, 0.5, 1.0)  # of 1 - (r / R)^2: a plate, a ball and a grain that thins out

# Judged: what to expect where noise hides size and kind (python -m benchmarks size_accuracy). Another
# expectation draws the sizes of faint calcifications to itself.
SHARES = (0.45, 0.4, 0.15)  # of the three kinds, in that order
TYPICAL_MM, SPREAD = 0.31, 0.47  # diameters: median, and standard deviation of the natural logarithm


@dataclass(frozen=True)
class Bodies:
    """Blurred plates, balls and thinner grains.

    Parameters
    ----------
    profiles : (kinds, sizes, rings) float64 array
        Height over that at the centre, by distance from the centre in steps of `PROFILE_STEP_MM`.
    volumes : (kinds, sizes) float64 array
        Integral over the plane for height 1, in mm2.
    prior : (kinds, sizes) float64 array
        Logarithm of how often a kind and size is expected, up to a constant.
    """

    profiles: npt.NDArray[np.float64]
    volumes: npt.NDArray[np.float64]
    prior: npt.NDArray[np.float64]


@lru_cache(maxsize=32)
def blurred_bodies(blur_mm: float) -> Bodies:
    """Compute what round calcifications of each size and kind look like behind a Gaussian blur.

    Parameters
    ----------
    blur_mm : float
        Standard deviation of all blur, pixels included, in mm.

    Returns
    -------
    Bodies

    Notes
    -----
    The thickness is (1 - (r / R)^2)^e with e = 0, 1/2 and 1: a plate, a ball and a grain that thins out.
    A radially symmetric figure f behind a Gaussian of variance v is
    ``integral f(s) s / v exp(-(r^2 + s^2) / 2 v) I0(r s / v) ds``, taken by Gauss-Legendre quadrature after
    the substitution s = R (1 - u^2), which takes the edge of the ball into account.

    What to expect where noise hides size and kind: diameters of 0.31 mm (log-normal, 95 % of them within
    0.12 to 0.78 mm). Plates and balls are about as frequent, grains that thin out rarer. Irregular grains,
    averaged over directions, are nearly balls, flat ones nearly plates. The kind changes the size: the same
    pixels give a plate that is 10 % smaller than a ball, or a grain that thins out that is 10 % larger.
    """
    node, weight = roots_legendre(64)
    u, du = 0.5 * (node + 1.0), 0.5 * weight
    r = np.arange(math.ceil(REACH_MM / PROFILE_STEP_MM) + 2) * PROFILE_STEP_MM
    variance = blur_mm**2
    profiles = np.empty((len(EXPONENTS), RADIUS_MM.size, r.size))
    volumes = np.empty(profiles.shape[:2])
    for k, radius in enumerate(RADIUS_MM):
        s = radius * (1.0 - u**2)
        ds = 2.0 * radius * u * du
        spread = np.exp(-0.5 * (r[:, None] - s) ** 2 / variance) * i0e(r[:, None] * s / variance)
        for p, exponent in enumerate(EXPONENTS):
            thickness = np.maximum(1.0 - (s / radius) ** 2, 0.0) ** exponent
            profile = spread @ (thickness * s / variance * ds)
            profiles[p, k] = profile / profile[0]
            volumes[p, k] = math.pi * radius**2 / (1.0 + exponent) / profile[0]
    known = -0.5 * ((np.log(2.0 * RADIUS_MM) - math.log(TYPICAL_MM)) / SPREAD) ** 2
    prior = known + np.log(SHARES)[:, None]
    for array in (profiles, volumes, prior):
        array.setflags(write=False)
    return Bodies(profiles, volumes, prior)
