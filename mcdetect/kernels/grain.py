"""Thickness of a union of ellipsoids along the beam, on a rotated grid."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["grain_thickness"]


@kernel
def grain_thickness(
    u_of_x: npt.NDArray[np.float64],
    u_of_y: npt.NDArray[np.float64],
    v_of_x: npt.NDArray[np.float64],
    v_of_y: npt.NDArray[np.float64],
    centres: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Thickness from the lowest to the highest surface at points (u, v) = (u_of_x + u_of_y, v_of_x + v_of_y).

    Parameters
    ----------
    u_of_x, v_of_x : (cols,) float64 arrays
    u_of_y, v_of_y : (rows,) float64 arrays
        Linear coordinates of the grid points in the frame of the grain.
    centres, radii : (n, 3) float64 arrays
        Centre and semi-axes of each ellipsoid along (u, v, beam).

    Returns
    -------
    (rows, cols) float64 array
        0 where no ellipsoid lies.
    """
    rows, cols = u_of_y.size, u_of_x.size
    out = np.zeros((rows, cols))
    for i in range(rows):
        for j in range(cols):
            u = u_of_x[j] + u_of_y[i]
            v = v_of_x[j] + v_of_y[i]
            top = -math.inf
            bottom = math.inf
            for k in range(centres.shape[0]):
                along = (u - centres[k, 0]) / radii[k, 0]
                across = (v - centres[k, 1]) / radii[k, 1]
                room = 1.0 - along * along - across * across
                if room > 0.0:
                    half = math.sqrt(room) * radii[k, 2]
                    top = max(top, centres[k, 2] + half)
                    bottom = min(bottom, centres[k, 2] - half)
            if top > bottom:
                out[i, j] = top - bottom
    return out
