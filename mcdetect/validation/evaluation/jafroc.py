"""The JAFROC figure of merit: how often a lesion is rated above the highest false mark of an image."""

from __future__ import annotations

import numpy as np

from mcdetect.validation.evaluation.cases import Bools, Floats
from mcdetect.validation.evaluation.tally import Tally

__all__ = ["figure_of_merit"]


def figure_of_merit(tally: Tally, weight: Floats, pool: str) -> Floats:
    """Return the JAFROC figure of merit of weighted sets of images.

    Every lesion is compared with every image of the pool: 1 when the lesion is rated higher than the
    highest false mark of the image, a half when they are equal, as an unmarked lesion and an image without
    false marks are.

    Parameters
    ----------
    tally : Tally
    weight : (patients, b) float64
        How often every patient is in every set.
    pool : {"normal", "all"}
        Images that lesions are compared with: normal ones give JAFROC, all give JAFROC1.

    Returns
    -------
    (b,) float64
        Not-a-number where a set has no lesion or no such image.

    References
    ----------
    Chakraborty and Berbaum 2004, doi:10.1118/1.1769352.
    """
    inside: Bools = tally.in_pool(pool)
    patient = tally.images.patient
    highest = tally.highest_false()[inside]
    order = np.argsort(highest, kind="stable")
    highest = highest[order]
    of_image = patient[inside][order]
    lower = np.searchsorted(highest, tally.rating, side="left")
    not_higher = np.searchsorted(highest, tally.rating, side="right")
    of_lesion = patient[tally.rating_image]
    result = np.full(weight.shape[1], np.nan)
    for b in range(weight.shape[1]):
        images = np.concatenate([[0.0], np.cumsum(weight[of_image, b])])
        lesions = weight[of_lesion, b]
        total = images[-1] * lesions.sum()
        if total > 0:
            result[b] = (lesions * (images[lower] + images[not_higher])).sum() / (2.0 * total)
    return result
