"""Groups of magnification and spot views: which group of the full view of the breast each is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcdetect.config import StudyConfig
from mcdetect.exams.studies.grouping import ViewImage, family
from mcdetect.exams.studies.matching import match_views

__all__ = ["MagnifiedPair", "match_magnified"]


@dataclass(frozen=True)
class MagnifiedPair:
    """One group in a full view and in a magnification view.

    Parameters
    ----------
    full, magnified : (ViewImage, int)
        The images, and the rows of the group in their tables.
    mismatch : float
        Root mean square of the deviations, in standard deviations.
    """

    full: tuple[ViewImage, int]
    magnified: tuple[ViewImage, int]
    mismatch: float


def match_magnified(
    full: Sequence[ViewImage], magnified: Sequence[ViewImage], config: StudyConfig | None = None
) -> list[MagnifiedPair]:
    """Find the groups that magnification or spot views of a breast show again.

    Such views show a part of the breast, so that the distance to the nipple is not known in them; groups are
    compared by number, extent, size and contrast of their members, sizes being measured in the breast in
    both (`mcdetect.exams.studies.match_views`). Each magnified view is compared with the full views of its
    own direction; where there is none, or its direction is not known, with those there are, of which the
    one is taken that fits more groups, or the same number better.

    Parameters
    ----------
    full : sequence of ViewImage
        Full views to compare with: of each direction at most one.
    magnified : sequence of ViewImage
        Magnification and spot views of the same breast.
    config : StudyConfig, optional
        Limits of the matching.

    Returns
    -------
    list of MagnifiedPair
        In the order of `magnified`; a group of a full view may be in several.
    """
    config = config or StudyConfig()
    found: list[MagnifiedPair] = []
    for image in magnified:
        alike = [other for other in full if family(image.view) and family(other.view) == family(image.view)]
        best: list[MagnifiedPair] = []
        for other in alike or full:
            pairs = list(_pairs(other, image, config))
            if (-len(pairs), _mean(pairs)) < (-len(best), _mean(best)):
                best = pairs
        found += best
    return found


def _pairs(full: ViewImage, magnified: ViewImage, config: StudyConfig) -> Iterator[MagnifiedPair]:
    tables = [
        image.clusters.assign(nipple_distance_mm=np.full(len(image.clusters), np.nan))
        for image in (full, magnified)
    ]
    pairing = match_views(tables[0], tables[1], config)
    for i, j, mismatch in zip(pairing.first, pairing.second, pairing.mismatch, strict=True):
        yield MagnifiedPair((full, int(i)), (magnified, int(j)), float(mismatch))


def _mean(pairs: list[MagnifiedPair]) -> float:
    return float(np.mean([pair.mismatch for pair in pairs])) if pairs else float("inf")
