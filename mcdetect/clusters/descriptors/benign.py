"""Typically benign kinds of calcifications, named so that users can filter them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.clusters.descriptors.morphology import Members, Morphology
from mcdetect.clusters.descriptors.smooth import falling, rising

__all__ = ["BENIGN_KINDS", "BenignKinds", "count_suspicious", "describe_benign"]

BENIGN_KINDS: tuple[str, ...] = ("vascular", "skin", "rod", "coarse", "rim")

# Judged: after the thickness of skin. Wider bounds name more of the skin's, and findings near it too.
SKIN_MM = (3.0, 5.0)
"""Distance to the skin line within which a calcification may lie in the skin: it is 1 to 3 mm thick, is seen
edge-on there, and its outline is known to about a millimetre. Skin calcifications away from the skin line
cannot be told by place."""
_SHARE = (0.25, 0.65)  # mean of the members' grades at which a group begins to be of a kind, and wholly is


@dataclass(frozen=True)
class BenignKinds:
    """How far the members of a group are of each typically benign kind, 0 to 1.

    The kinds are graded apart and need not sum to 1. Rod is large rod-like, coarse includes popcorn-like.
    `share` is that of the members which are of any of these kinds.
    """

    vascular: float
    skin: float
    rod: float
    coarse: float
    rim: float
    share: float

    @property
    def best(self) -> str:
        """The kind of largest membership, empty when none reaches a half."""
        name = max(BENIGN_KINDS, key=lambda kind: float(getattr(self, kind)))
        return name if float(getattr(self, name)) >= 0.5 else ""


def describe_benign(
    members: Members, morphology: Morphology, skin_distance_mm: npt.NDArray[np.float64]
) -> BenignKinds:
    """Grade the typically benign kinds of one group.

    Parameters
    ----------
    members : Members
        Its members.
    morphology : Morphology
        As `mcdetect.clusters.descriptors.morphology.describe_morphology` returns it.
    skin_distance_mm : (n,) float64 array
        Distance of each member to the skin line, in mm; NaN where unknown.

    Returns
    -------
    BenignKinds

    Notes
    -----
    A kind is named when about half of the members are of it. Skin: members within some 4 mm of the skin
    line, more readily with a lucent centre. Rim: members of about 1 mm and more whose rim is brighter than
    the centre; these do not count as coarse. After the typically benign findings of the BI-RADS Atlas, 5th
    edition, 2013.
    """
    lucent = np.nan_to_num(rising(members.rim_ratio, 1.02, 1.20))
    at_skin = np.nan_to_num(falling(skin_distance_mm, *SKIN_MM)) * (0.8 + 0.2 * lucent)
    at_skin *= np.nan_to_num(falling(members.diameter_mm, 1.0, 2.0))
    rim = lucent * np.nan_to_num(rising(members.diameter_mm, 0.6, 1.0))
    share = {
        "vascular": float(members.vascular.mean()),
        "skin": float(at_skin.mean()),
        "rod": morphology.rod,
        "coarse": min(morphology.coarse, 1.0 - float(rim.mean())),
        "rim": float(rim.mean()),
    }
    large = max(share["coarse"], share["rim"])  # what is both counts once
    of_any = min(1.0, share["vascular"] + share["skin"] + share["rod"] + large)
    return BenignKinds(**{name: float(rising(value, *_SHARE)) for name, value in share.items()}, share=of_any)


def count_suspicious(max_in_window: npt.ArrayLike, benign_share: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return how many members of no typically benign kind one disc holds, for each group.

    Parameters
    ----------
    max_in_window : (g,) array-like of int
        Most members that one disc of the rule holds.
    benign_share : (g,) array-like of float
        Share of the members that are of a typically benign kind.
    """
    most, share = np.asarray(max_in_window, np.float64), np.asarray(benign_share, np.float64)
    counted: npt.NDArray[np.float64] = most * (1.0 - share)
    return counted
