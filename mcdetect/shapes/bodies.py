"""Bodies behind blur: what a calcification of a given size looks like, and which sizes to expect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import i0e, roots_legendre

__all__ = ["RADIUS_MM", "RING_MM", "Bodies", "blurred_bodies"]

RADIUS_MM: npt.NDArray[np.float64] = np.geomspace(0.03, 1.2, 42)
"""Radii for which bodies are drawn, in mm; in equal ratios."""
RING_MM = 0.02
REACH_MM = 1.2
EXPONENTS = (0.0, 0.5, 1.0)  # of 1 - (r / R)^2: a plate, a ball and a grain that thins out
SHARES = (0.45, 0.4, 0.15)
TYPICAL_MM, SPREAD = 0.31, 0.47  # diameters: median, and standard deviation of the natural logarithm


@dataclass(frozen=True)
class Bodies:
    """Blurred plates, balls and thinner grains.

    Parameters
    ----------
    profiles : (kinds, sizes, rings) float64 array
        Height over that at the centre, by distance from the centre in steps of `RING_MM`.
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
    """Draw round bodies of three kinds behind a Gaussian blur.

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

    Expected beforehand: diameters log-normal about 0.31 mm, 95 % of them within 0.12 to 0.78 mm; plates and
    balls about alike, grains that thin out less often. Averaged over directions even irregular grains are
    nearly balls, flat ones plates; the same pixels make a plate 10 % smaller than a ball, and a grain that
    thins out 10 % larger. All that matters only where noise hides size and kind.
    """
    node, weight = roots_legendre(64)
    u, du = 0.5 * (node + 1.0), 0.5 * weight
    r = np.arange(math.ceil(REACH_MM / RING_MM) + 2) * RING_MM
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
