"""The best closed way around a centre."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["best_loop"]

_Singles = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]


@kernel
def best_loop(gain: _Singles, toll: float) -> _Ints:
    """Find the way around a centre that gains most, one radius in each direction.

    Parameters
    ----------
    gain : (angles, radii) float32 array
        What each place gains.
    toll : float
        What a step to the next radius costs, of which there is one between neighbouring directions at most.

    Returns
    -------
    (angles,) int64 array
        Number of the radius in each direction.

    Notes
    -----
    Dynamic programming over two turns, of which the middle one is taken: there the ends are forgotten.
    """
    angles, radii = gain.shape
    total, better = np.zeros(radii), np.zeros(radii)
    came = np.zeros((2 * angles, radii), np.int8)
    for turn in range(2 * angles):
        for k in range(radii):
            best, step = total[k], 0
            if k > 0 and total[k - 1] - toll > best:
                best, step = total[k - 1] - toll, -1
            if k < radii - 1 and total[k + 1] - toll > best:
                best, step = total[k + 1] - toll, 1
            better[k] = best + gain[turn % angles, k]
            came[turn, k] = step
        for k in range(radii):
            total[k] = better[k]
    here = 0
    for k in range(radii):
        if total[k] > total[here]:
            here = k
    path = np.zeros(angles, np.int64)
    first = angles // 2
    for turn in range(2 * angles - 1, first - 1, -1):
        if turn < first + angles:
            path[turn % angles] = here
        here += came[turn, here]
    return path
