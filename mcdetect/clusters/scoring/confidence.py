"""How sure the detector is of a group: from the scores of its strongest members."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

__all__ = ["score_groups"]


def score_groups(
    label: npt.NDArray[np.int64], log_odds: npt.NDArray[np.float64], min_count: int
) -> npt.NDArray[np.float64]:
    """Score every group by its `min_count` strongest members and by their number.

    The log-odds of a group lie halfway between the mean of these members and the weakest of them, so that
    one doubtful member makes the group doubtful. Every doubling of the members beyond `min_count` adds 0.5.
    A group with fewer members gets 0 at most, less 1, and less another 1 for each member that is lacking.

    Parameters
    ----------
    label : (n,) int64 array
        Group of each calcification, from 1; 0 for none.
    log_odds : (n,) float64 array
        Score of each calcification on the log-odds scale, 0 at the operating point.
    min_count : int
        Members that make a group worth flagging.

    Returns
    -------
    (groups,) float64 array
        Between 0 and 1; not a probability. Groups of fewer members stay below 0.5.
    """
    scores = np.zeros(int(label.max(initial=0)))
    for group in range(1, scores.size + 1):
        best = np.sort(log_odds[label == group])[::-1]
        top = best[:min_count]
        lacking = min_count - top.size
        value = (top.mean() + top[-1]) / 2.0 + 0.5 * np.log2(max(best.size / min_count, 1.0))
        scores[group - 1] = value if lacking == 0 else min(value, 0.0) - 1.0 - lacking
    out: npt.NDArray[np.float64] = expit(scores)
    return out
