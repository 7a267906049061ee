"""Drawn tomosynthesis of many kinds, for fitting and for measuring."""

from __future__ import annotations

import numpy as np

from mcdetect.phantom import (
    Acquisition,
    Calcifications,
    Group,
    PhantomTomosynthesis,
    Scatter,
    Sweep,
    Tissue,
    draw_tomosynthesis,
)

__all__ = ["SWEEPS", "draw_case"]

SWEEPS = (Sweep(15, 7.5), Sweep(9, 12.5), Sweep(25, 25.0), Sweep(15, 20.0), Sweep(15, 7.5), Sweep(11, 5.5))
"""Sweeps of the usual systems: 11 to 50 degrees in all, 9 to 25 projections."""
_PIXELS_MM = (0.1, 0.1, 0.085, 0.1)
_FIELD_MM = (100.0, 70.0)


def draw_case(seed: int, least_snr: float = 3.5) -> PhantomTomosynthesis:
    """Draw a small breast of 40 slices; the seed decides sweep, pixels, view, dose and density.

    Parameters
    ----------
    seed : int
    least_snr : float
        Of the calcifications, in the slice in which each is sharpest; the largest is 20.
    """
    for attempt in range(20):
        rng = np.random.default_rng([seed, attempt])
        pixel = _PIXELS_MM[seed % len(_PIXELS_MM)]
        look = Calcifications(snr=(least_snr, 20.0))
        try:
            return draw_tomosynthesis(
                (round(_FIELD_MM[0] / pixel), round(_FIELD_MM[1] / pixel)),
                pixel,
                seed=seed + 100_000 * attempt,
                slices=40,
                view="CC" if seed % 3 else "MLO",
                laterality="L" if seed % 2 else "R",
                groups=(Group(calcifications=look),) * 2,
                scatter=Scatter(14, calcifications=look),
                sweep=SWEEPS[seed % len(SWEEPS)],
                tissue=Tissue(density=float(rng.uniform(0.2, 0.7))),
                acquisition=Acquisition(quanta_per_mm2=float(rng.uniform(5e6, 1.4e7))),
            )
        except ValueError:  # no room for a group in a small breast
            continue
    raise ValueError(f"no breast of seed {seed} has room for its groups")
