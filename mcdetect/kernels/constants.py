"""Numbers that more than one part uses, so that none is written down twice."""

from __future__ import annotations

__all__ = ["HULL_GROWTH_MM", "LEAST_SIGMA_PX", "MAD_TO_SD"]

MAD_TO_SD = 1.4826
"""Standard: SD of a normal distribution over its median absolute deviation, 1 / quantile(0.75); no unit."""

LEAST_SIGMA_PX = 0.35
"""Judged: narrowest Gaussian that is measured at a point, SD in pixels: a narrower one falls between samples.

A wider one blurs the finest scales of coarse pixels. The score is fitted with it (python -m benchmarks
spot_model): fit it again after a change.
"""

HULL_GROWTH_MM = 0.5
"""Judged: by how much the hull of a group is grown, in mm, so that its area is above 0 for any group.

More of it evens out the densities of small groups, less lets groups on a line stand out. Densities change
with it, and so does what is fitted to them.
"""
