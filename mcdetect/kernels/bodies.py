"""What plates and balls with an ellipse for an outline look like behind blur."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["KINDS", "VOLUME", "blurred_ellipse"]

_Floats = npt.NDArray[np.float64]

# Technical: how finely bodies are cut.
NODES = 4  # strips of an ellipse, beside those below
NODES_PER_BLUR = 1.4  # more for each SD of the blur in its half width
MOST_NODES = 40
FAR = 4.0  # SD of the blur beyond which a strip is not seen
NORMAL = 0.3989422804014327  # 1 / sqrt(2 pi)
MANY_PLATES = 3.0  # half width, in SD of the blur, from which on a ball needs many plates

# Physics: the thickness of a ball, (1 - r^2)^(1/2), as a sum of plates (Gauss and Legendre's quadrature in
# height).
KINDS = 2
"""Of bodies: plates, and balls."""
BALL_PLATES = ((5.0 / 18.0, 0.993629), (8.0 / 18.0, 0.866025), (5.0 / 18.0, 0.461189))
"""Heights and radii of the plates that make up a ball,"""
FINE_BALL_PLATES = (
    (0.085662, 0.999430),
    (0.180381, 0.985548),
    (0.233957, 0.924703),
    (0.233957, 0.785145),
    (0.180381, 0.556861),
    (0.085662, 0.257661),
)
"""the same where the steps of few would show."""
VOLUME = (1.0, 2.0 / 3.0)  # over that of a plate of the same axes and greatest height


_PLATES = np.array([(1.0, 1.0), *BALL_PLATES, *FINE_BALL_PLATES])  # a table compiles faster than tuples


@kernel(inline=True)
def _step(z: float) -> tuple[float, float]:
    """Normal distribution function, to seven digits, and its density.

    Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.2.17: cheaper than an error
    function, since the density is needed too.
    """
    density = NORMAL * math.exp(-0.5 * z * z)
    t = 1.0 / (1.0 + 0.2316419 * abs(z))
    tail = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail *= density
    return (1.0 - tail if z >= 0.0 else tail), density


@kernel(inline=True)
def blurred_ellipse(
    kind: int, x: float, y: float, a: float, b: float, blur_x: float, blur_y: float, out: _Floats
) -> None:
    """Height of a blurred plate or ball of height 1, and its derivatives.

    Parameters
    ----------
    kind : int
        0 for a plate, 1 for a ball.
    x, y : float
        Place from the centre along and across the long axis, in mm.
    a, b : float
        Half axes, along x and y, in mm.
    blur_x, blur_y : float
        SD of the Gaussian blur along x and y, in mm.
    out : (5,) float64 array
        Written: height; its derivatives by x, y, log a and log b.

    Notes
    -----
    The ellipse is cut in strips along x, whose blur is the difference of two error functions; over the
    strips it is summed by Gauss and Chebyshev's quadrature of the second kind. A ball is a stack of plates.
    """
    value, by_x, by_y, by_a, by_b = 0.0, 0.0, 0.0, 0.0, 0.0
    fine = b > MANY_PLATES * blur_y
    # Where the plates of this kind stand in the table of all.
    first = 0 if kind == 0 else 4 if fine else 1
    last = 1 if kind == 0 else 10 if fine else 4
    for layer in range(first, last):
        thick, scale = _PLATES[layer, 0], _PLATES[layer, 1]
        long, short = scale * a, scale * b
        nodes = min(NODES + int(NODES_PER_BLUR * short / blur_y), MOST_NODES)
        turn = math.pi / (nodes + 1)
        for k in range(1, nodes + 1):
            u, c = math.cos(turn * k), math.sin(turn * k)
            t = (y - short * u) / blur_y
            if abs(t) > FAR:
                continue
            weight = thick * turn * c * short / blur_y * NORMAL * math.exp(-0.5 * t * t)
            c *= long
            upper, near = _step((x + c) / blur_x)
            lower, off = _step((x - c) / blur_x)
            strip = weight * (upper - lower)
            near *= weight / blur_x
            off *= weight / blur_x
            value += strip
            by_x += near - off
            by_y -= strip * t / blur_y
            by_a += c * (near + off)
            by_b += strip * (1.0 + short * u * t / blur_y)
    out[0], out[1], out[2], out[3], out[4] = value, by_x, by_y, by_a, by_b
