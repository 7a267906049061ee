"""BI-RADS morphology of calcifications, as graded memberships of each member and of the group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.descriptors.smooth import falling, rising

__all__ = ["MORPHOLOGIES", "Members", "Morphology", "describe_morphology", "heterogeneity_of", "read_members"]

_Floats = npt.NDArray[np.float64]

MORPHOLOGIES: tuple[str, ...] = (
    "punctate",
    "coarse",
    "rod",
    "vascular",
    "amorphous",
    "coarse_heterogeneous",
    "fine_pleomorphic",
    "fine_linear",
    "unknown",
)
"""The words of BI-RADS (5th edition, 2013) that single calcifications can carry, and `unknown`."""

# Physics: the form of a calcification needs three to five pixels across it. The width of the step is judged.
FINE_PIXEL_MM = (0.105, 0.145)
"""Pixel size from which the fine kinds (below 0.5 mm) are no longer told apart: three to five pixels across
0.5 mm carry its form. At 0.1 mm and below they are named, at 0.15 mm and above they are unknown."""
COARSE_PIXEL_MM = (0.21, 0.30)
"""The same for the coarse kinds (0.5 mm and more)."""

# Standard: sizes that BI-RADS, 5th edition (2013) sets between its words. The width of the steps is judged.
FINE_MM = (0.42, 0.58)
"""Around the 0.5 mm that BI-RADS sets between fine and coarse, punctate and round, fine linear and rod."""
LONG = (1.6, 2.4)
"""Length over width, around the twice as long from which on calcifications are rods or fine linear."""
COARSE_MM = (0.8, 1.2)
"""Around the 1 mm above which calcifications are coarse or, when long, rods."""


@dataclass(frozen=True)
class Members:
    """Measures of the calcifications of an image; (n,) arrays, NaN where unknown.

    Parameters
    ----------
    diameter_mm, major_mm, minor_mm : array
        Diameter of the disc of equal area and axes of the ellipse, in mm.
    circularity, contrast, snr, edge_per_mm, rim_ratio : array
        As in `mcdetect.schema.CALCIFICATIONS`.
    vascular : array
        How far each lies on an artery, 0 to 1.
    """

    diameter_mm: _Floats
    major_mm: _Floats
    minor_mm: _Floats
    circularity: _Floats
    contrast: _Floats
    snr: _Floats
    edge_per_mm: _Floats
    rim_ratio: _Floats
    vascular: _Floats

    def take(self, chosen: npt.NDArray[np.bool_]) -> Members:
        """Return some of the members."""
        return Members(**{name: values[chosen] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Morphology:
    """What the members of a group look like.

    Parameters
    ----------
    punctate, coarse, rod, vascular, amorphous, coarse_heterogeneous, fine_pleomorphic, fine_linear, unknown
    : float
        Mean memberships of the members, 0 to 1; their sum is 1.
    heterogeneity : float
        How much the members vary in size, shape and contrast, 0 to 1; NaN below three members.
    size_spread, aspect_spread, contrast_spread : float
        Standard deviations of the logarithms of diameter, of length over width and of contrast; NaN below
        three measured members.
    """

    punctate: float
    coarse: float
    rod: float
    vascular: float
    amorphous: float
    coarse_heterogeneous: float
    fine_pleomorphic: float
    fine_linear: float
    unknown: float
    heterogeneity: float
    size_spread: float
    aspect_spread: float
    contrast_spread: float

    @property
    def best(self) -> str:
        """The word of largest membership."""
        return max(MORPHOLOGIES, key=lambda name: float(getattr(self, name)))


def read_members(measures: Mapping[str, npt.ArrayLike], n: int, vascular: _Floats) -> Members:
    """Take what is known of the members from a mapping of measures.

    Parameters
    ----------
    measures : mapping of str to (n,) array-like
        By the names of `mcdetect.schema.CALCIFICATIONS`; any may be missing. Axes that are missing follow
        from the diameter and the eccentricity.
    n : int
        Number of calcifications.
    vascular : (n,) float64 array
        How far each lies on an artery.
    """

    def get(name: str) -> _Floats:
        values = np.asarray(measures.get(name, np.full(n, np.nan)), dtype=np.float64)
        if values.shape != (n,):
            raise ValueError(f"{name} must have one value for each of {n} calcifications, got {values.shape}")
        return np.where(np.isfinite(values), values, np.nan)

    diameter = np.where(get("diameter_mm") > 0.0, get("diameter_mm"), np.nan)
    eccentricity = np.clip(get("eccentricity"), 0.0, 0.9999)
    root = (1.0 - eccentricity**2) ** 0.25
    major, minor = get("major_axis_mm"), get("minor_axis_mm")
    axes = (major > 0.0) & (minor > 0.0)
    return Members(
        diameter_mm=diameter,
        major_mm=np.where(axes, major, diameter / root),
        minor_mm=np.where(axes, minor, diameter * root),
        circularity=get("circularity"),
        contrast=get("contrast"),
        snr=get("snr"),
        edge_per_mm=get("edge_sharpness_per_mm"),
        rim_ratio=get("rim_ratio"),
        vascular=vascular,
    )


def describe_morphology(members: Members, pixel_mm: float) -> Morphology:
    """Name the morphology of the members of one group.

    Parameters
    ----------
    members : Members
        Its members, at least one.
    pixel_mm : float
        Pixel size, in mm (the larger of the two).

    Returns
    -------
    Morphology

    Notes
    -----
    Vascular is what lies on an artery. Of the rest, elongated members (twice as long as wide) are fine
    linear below 0.5 mm of width and rods above; others are coarse above 1 mm, coarse heterogeneous
    between 0.5 and 1 mm when they are irregular or vary, fine pleomorphic below 0.5 mm when they are
    irregular or vary, punctate or round when they are round and alike, and amorphous when they are small
    and too faint or hazy to have a form. Definitions: BI-RADS Atlas, 5th edition, 2013. Members without
    measures, and kinds that the pixel size does not carry (`FINE_PIXEL_MM`, `COARSE_PIXEL_MM`), count as
    unknown.
    """
    spreads = heterogeneity_of(members)
    varied = 0.0 if np.isnan(spreads[0]) else spreads[0]
    aspect = members.major_mm / members.minor_mm
    wide = _known(rising(members.minor_mm, *FINE_MM))
    long = _known(rising(aspect, *LONG))
    large = _known(rising(members.diameter_mm, *COARSE_MM))
    fine = _known(falling(members.diameter_mm, *FINE_MM))
    odd = np.maximum(_known(falling(members.circularity, 0.90, 0.97)), _known(rising(aspect, 1.3, 1.8)))
    irregular = 1.0 - (1.0 - odd) * (1.0 - 0.8 * varied)
    hazy = fine * np.maximum(
        _known(falling(members.snr, 4.0, 7.0)), _known(falling(members.edge_per_mm, 1.0, 3.0))
    )
    own = 1.0 - members.vascular
    compact = own * (1.0 - long)
    rest = compact * (1.0 - large)
    shown = rest * (1.0 - hazy)
    grades = {
        "vascular": members.vascular,
        "rod": own * long * wide,
        "fine_linear": own * long * (1.0 - wide),
        "coarse": compact * large,
        "amorphous": rest * hazy,
        "coarse_heterogeneous": shown * irregular * (1.0 - fine),
        "fine_pleomorphic": shown * irregular * fine,
        "punctate": shown * (1.0 - irregular),
    }
    measured = (
        np.isfinite(members.diameter_mm) & np.isfinite(members.major_mm) & np.isfinite(members.minor_mm)
    )
    carried_fine, carried_coarse = (
        float(falling(pixel_mm, *FINE_PIXEL_MM)),
        float(falling(pixel_mm, *COARSE_PIXEL_MM)),
    )
    # A round calcification above 0.5 mm needs no finer pixels than a coarse one.
    carried = {name: np.full(own.size, carried_coarse) for name in ("rod", "coarse", "coarse_heterogeneous")}
    carried |= {
        name: np.full(own.size, carried_fine) for name in ("fine_linear", "amorphous", "fine_pleomorphic")
    }
    carried["punctate"] = fine * carried_fine + (1.0 - fine) * carried_coarse
    mean: dict[str, float] = {"vascular": float(members.vascular.mean())}
    for name, share in carried.items():
        mean[name] = float(np.where(measured, grades[name] * share, 0.0).mean())
    mean["unknown"] = max(0.0, 1.0 - sum(mean.values()))
    return Morphology(**mean, **dict(zip(_SPREADS, spreads, strict=True)))


_FALSE_MEMBERS = 6  # Judged: one member in so many may be a false detection, and is left out of the spreads
_SPREADS = ("heterogeneity", "size_spread", "aspect_spread", "contrast_spread")


def heterogeneity_of(members: Members) -> tuple[float, float, float, float]:
    """Return the heterogeneity of a group (0 to 1) and the three spreads that led to it.

    Each spread is the standard deviation of a logarithm (so that it does not depend on size or exposure): a
    spread of 0.3 is 35 % from member to member. The heterogeneity is a logistic step of their
    weighted mean, 0.1 where equal phantom grains lie, 0.9 at twice that. The member farthest from the median
    of each six is left out: one false detection would make any group heterogeneous.
    """
    spreads = [
        _log_spread(members.diameter_mm),
        _log_spread(members.major_mm / members.minor_mm),
        _log_spread(members.contrast),
    ]
    known = [(weight, s) for weight, s in zip((2.0, 2.0, 1.0), spreads, strict=True) if np.isfinite(s)]
    if not known:
        return (float("nan"), *spreads)  # type: ignore[return-value]
    mean = sum(weight * s for weight, s in known) / sum(weight for weight, _ in known)
    return float(rising(mean, 0.09, 0.20)), spreads[0], spreads[1], spreads[2]


def _log_spread(values: _Floats) -> float:
    logs = np.log(values[np.isfinite(values) & (values > 0.0)])
    if logs.size < 3:
        return float("nan")
    away = np.abs(logs - np.median(logs))
    kept = logs[np.argsort(away, kind="stable")[: logs.size - logs.size // _FALSE_MEMBERS]]
    return float(np.std(kept, ddof=1))


def _known(share: _Floats) -> _Floats:
    return np.where(np.isnan(share), 0.0, share)
