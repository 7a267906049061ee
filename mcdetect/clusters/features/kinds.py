"""Which share of a group's members are rods, round or punctate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["PUNCTATE_MM", "ROD_ASPECT", "ROUND_ASPECT", "ROUND_CIRCULARITY", "kind_fractions"]

_Floats = npt.NDArray[np.float64]

# Standard: BI-RADS, 5th edition (2013).
PUNCTATE_MM = 0.5
"""Round members below this diameter are punctate (BI-RADS, 5th edition, 2013)."""

# Judged: BI-RADS gives no numbers. Stricter bounds leave more members without a kind.
ROD_ASPECT = 2.0
"""A rod is at least this many times as long as it is wide."""
ROUND_ASPECT = 1.5
"""A round member is less than this many times as long as it is wide ..."""
ROUND_CIRCULARITY = 0.8
"""... and its outline at least as close to a circle as this."""


def kind_fractions(
    label: npt.NDArray[np.int64],
    aspect: _Floats,
    circularity: _Floats,
    diameter_mm: _Floats,
    n_groups: int,
) -> dict[str, _Floats]:
    """Return the share of rod-like, round and punctate members of each group.

    Parameters
    ----------
    label : (n,) int64 array
        Group of each member, from 1; 0 for none.
    aspect, circularity, diameter_mm : (n,) float64 array
        Length over width, shapes and sizes; a member of which one is not finite is left out.
    n_groups : int
        Number of groups.

    Returns
    -------
    dict of str to (n_groups,) float64 array
        rod_fraction, round_fraction and punctate_fraction (those of the round that are smaller than
        `PUNCTATE_MM`); NaN for groups none of whose members has a shape.

    Notes
    -----
    Length over width is that of the ellipse of equal second moments.
    Shares of round and elongated members follow Betal et al., Br. J. Radiol. 70 (1997) 903; the
    thresholds are our own. Blur makes members below about 0.2 mm look round.
    """
    keep = (label > 0) & np.isfinite(aspect) & np.isfinite(circularity) & np.isfinite(diameter_mm)
    group = label[keep] - 1
    round_ = (aspect[keep] < ROUND_ASPECT) & (circularity[keep] >= ROUND_CIRCULARITY)
    kinds = {
        "rod_fraction": aspect[keep] >= ROD_ASPECT,
        "round_fraction": round_,
        "punctate_fraction": round_ & (diameter_mm[keep] < PUNCTATE_MM),
    }
    count = np.bincount(group, minlength=n_groups)
    return {
        name: np.divide(
            np.bincount(group[those], minlength=n_groups),
            count,
            out=np.full(n_groups, np.nan),
            where=count > 0,
        )
        for name, those in kinds.items()
    }
