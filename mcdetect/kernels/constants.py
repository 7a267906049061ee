"""Numbers that more than one part uses, so that none is written down twice."""

from __future__ import annotations

__all__ = ["HULL_GROWTH_MM", "LEAST_SIGMA_PX", "MAD_TO_SD"]

MAD_TO_SD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

LEAST_SIGMA_PX = 0.35
"""Narrowest Gaussian that is measured at a point, SD in pixels: a narrower one falls between the samples."""

HULL_GROWTH_MM = 0.5
"""By how much the hull of a group is grown, so that its area is finite for any group."""
