"""Groups of magnification and spot views: which group of the full view of the breast each is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.config import StudyConfig
from mcdetect.exams.studies.constellation import shared_points
from mcdetect.exams.studies.grouping import ViewImage, family
from mcdetect.exams.studies.matching import best_pairs, ratio_terms

__all__ = ["MagnifiedPair", "match_magnified"]

# Judged: a magnified view shows more and fainter members, so that numbers and what follows from them differ
# more than between full views; sizes and contrasts are measured with other pixels and noise.
_RATIO_SD = {"n_calcifications": 0.5, "extent_mm": 0.5, "diameter_mm_mean": 0.3, "contrast_mean": 0.6}
"""Standard deviation of the natural logarithm of the ratio of a measure between full and magnified view."""
# On drawn constellations of which 85 % are seen in either view: the same 0.7 to 1, strangers 0.5 to 0.6.
_USUAL_SHARE = 0.95
_SHARE_SD = 0.15
_WEIGHT = 3  # of the constellation, against one of each measure
_LEAST = 4  # members, fewer than which make no constellation


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

    Such views show a part of the breast, so that the distance to the nipple is not known in them. Groups are
    compared by number, extent, size and contrast of their members, sizes being measured in the breast in
    both, and, in views of one name, by their constellation: the share of members that lie at the same places
    when one view is moved, turned and stretched a little (`mcdetect.exams.studies.constellation`).

    Each magnified view is compared with the full views of its own direction; where there is none, or its
    direction is not known, with those there are, of which the one is taken that fits more groups, or the same
    number better.

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
    if not len(full.clusters) or not len(magnified.clusters):
        return
    terms = ratio_terms(full.clusters, magnified.clusters, _RATIO_SD)
    terms += [_unlike(full, magnified)] * _WEIGHT
    mismatch = np.sqrt(np.mean(terms, axis=0))
    nothing = np.zeros(mismatch.shape)
    pairing = best_pairs(
        full.clusters, magnified.clusters, mismatch, nothing, nothing > 0, config.max_mismatch
    )
    for i, j, off in zip(pairing.first, pairing.second, pairing.mismatch, strict=True):
        yield MagnifiedPair((full, int(i)), (magnified, int(j)), float(off))


def _unlike(full: ViewImage, magnified: ViewImage) -> npt.NDArray[np.float64]:
    """Return how unlike the constellations of all pairs of groups are, as squared deviations.

    Views of other directions show other constellations: there it is not known.
    """
    unlike = np.ones((len(full.clusters), len(magnified.clusters)))
    same = not full.view or not magnified.view or full.view == magnified.view
    if not same or full.marks is None or magnified.marks is None:
        return unlike
    one, two = _constellations(full), _constellations(magnified)
    for i, first in enumerate(one):
        for j, second in enumerate(two):
            if min(len(first), len(second)) >= _LEAST:
                lacking = max(_USUAL_SHARE - shared_points(first, second).share, 0.0)
                unlike[i, j] = (lacking / _SHARE_SD) ** 2
    return unlike


def _constellations(image: ViewImage) -> list[npt.NDArray[np.float64]]:
    """Return the members of each group, the most certain ones first."""
    assert image.marks is not None
    marks = image.marks.sort_values("score", ascending=False, kind="stable")
    return [
        marks.loc[marks["cluster_id"] == number, ["row_mm", "col_mm"]].to_numpy(np.float64)
        for number in image.clusters["cluster_id"]
    ]


def _mean(pairs: list[MagnifiedPair]) -> float:
    return float(np.mean([pair.mismatch for pair in pairs])) if pairs else float("inf")
