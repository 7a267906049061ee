"""An ellipse behind blur, a plate or a ball, fitted to the pixels round a small bright body.

The outline of a body that is small against the blur is that of the blur, rounder and wider than the body. The
fit knows the blur, along either axis, and gives the axes that the body has without it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.bodies import KINDS, VOLUME, blurred_ellipse
from mcdetect.kernels.jit import kernel
from mcdetect.kernels.reaches import RAYS

__all__ = ["KNOWN", "fit_ellipse"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]

# Technical: numerics of the fit.
ROUNDS = 20  # steps tried, at most
CLOSE = 1e-3  # what the objective falls by when the fit is done
LEAST_REST = 1e-6  # what a body leaves unexplained is taken as at least this share of the variation
LEAST_STRETCH = 1e-3  # logarithm of the root of length over width, below which the direction is left alone
ENOUGH = 300  # pixels; of more, every second or third row and column is taken
STEP = 0.4  # greatest change in one step of the logarithms of size and stretch

# Physics: seen behind blur, a ball of half axes a is like a plate of sqrt(4 / 5) a.
BALL_LARGER = 0.112  # logarithm of the axes of a ball over those of the plate that resembles it

# Judged: where blur hides the kind, the mean of both. More plates make balls smaller, and the reverse.
SHARES = (0.65, 0.35)  # of plates and of balls

KNOWN = ("size", "its spread", "stretch", "its power", "least")
"""What is known beforehand: median of the radius and SD of its logarithm; half the logarithm h of length
over width
from which on bodies are long, and the power of h^2 by which longer ones are rarer; the least half axis. In
mm."""


@kernel
def _solve(matrix: _Floats, right: _Floats) -> bool:
    """Solve symmetric positive definite equations in place, by Cholesky; False where they are none."""
    n = right.size
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not total > 1e-14 * matrix[i, i]:
                    return False
                matrix[i, i] = math.sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    for i in range(n):
        for k in range(i):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            right[i] -= matrix[k, i] * right[k]
        right[i] /= matrix[i, i]
    return True


@kernel
def _gather(
    image: _Singles,
    row: float,
    col: float,
    row_mm: float,
    col_mm: float,
    y: float,
    x: float,
    angle: float,
    reach: float,
    stretched: float,
    free: _Floats,
    out: _Floats,
) -> int:
    """Collect (y, x, value) of pixels within an ellipse and nearer than other summits; return how many."""
    rows, cols = image.shape
    far = max(reach, stretched)
    low_r = max(0, math.ceil(row + (y - far) / row_mm))
    high_r = min(rows - 1, math.floor(row + (y + far) / row_mm))
    low_c = max(0, math.ceil(col + (x - far) / col_mm))
    high_c = min(cols - 1, math.floor(col + (x + far) / col_mm))
    cos, sin = math.cos(angle), math.sin(angle)
    count = 0
    every = 1
    while math.pi * reach * stretched / (row_mm * col_mm) > every * every * ENOUGH:
        every += 1
    # Whichever way the image is turned, the pixel of the spot is among them.
    low_r += (math.floor(row + 0.5) - low_r) % every
    low_c += (math.floor(col + 0.5) - low_c) % every
    for r in range(low_r, high_r + 1, every):
        down = (r - row) * row_mm
        for c in range(low_c, high_c + 1, every):
            right = (c - col) * col_mm
            along = (right - x) * cos - (down - y) * sin
            aside = (right - x) * sin + (down - y) * cos
            if (along / stretched) ** 2 + (aside / reach) ** 2 > 1.0 or count == out.shape[0]:
                continue
            turn = math.atan2(down, right) / (2.0 * math.pi) * RAYS
            if math.hypot(down, right) > free[math.floor(turn) % RAYS]:
                continue
            out[count, 0], out[count, 1], out[count, 2] = down, right, image[r, c]
            count += 1
    return count


@kernel
def _equations(
    pixel: _Floats,
    count: int,
    state: _Floats,
    kind: int,
    row_var: float,
    col_var: float,
    matrix: _Floats,
    right: _Floats,
) -> float:
    """Normal equations of least squares about a state; return the sum of squares left."""
    a, b = math.exp(state[2] + state[3]), math.exp(state[2] - state[3])
    cos, sin = math.cos(state[4]), math.sin(state[4])
    blur_x = math.sqrt(cos * cos * col_var + sin * sin * row_var)
    blur_y = math.sqrt(cos * cos * row_var + sin * sin * col_var)
    out = np.empty(5)
    slope = np.empty(9)
    for i in range(9):
        right[i] = 0.0
        for j in range(9):
            matrix[i, j] = 0.0
    rest = 0.0
    for k in range(count):
        down, across = pixel[k, 0] - state[0], pixel[k, 1] - state[1]
        x, y = across * cos - down * sin, across * sin + down * cos
        blurred_ellipse(kind, x, y, a, b, blur_x, blur_y, out)
        height = state[5]
        slope[0] = height * (out[1] * sin - out[2] * cos)
        slope[1] = -height * (out[1] * cos + out[2] * sin)
        slope[2] = height * (out[3] + out[4])
        slope[3] = height * (out[3] - out[4])
        slope[4] = height * (-out[1] * y + out[2] * x) / (2.0 * max(state[3], LEAST_STRETCH))
        slope[5] = out[0]
        slope[6], slope[7], slope[8] = 1.0, pixel[k, 0], pixel[k, 1]
        off = pixel[k, 2] - height * out[0] - state[6] - state[7] * pixel[k, 0] - state[8] * pixel[k, 1]
        rest += off * off
        for i in range(9):
            right[i] += slope[i] * off
            for j in range(i + 1):
                matrix[i, j] += slope[i] * slope[j]
    return rest


@kernel
def _fit_kind(
    pixel: _Floats,
    count: int,
    kind: int,
    row_var: float,
    col_var: float,
    known: _Floats,
    n: float,
    shift: float,
    state: _Floats,
) -> float:
    """Improve a state by Levenberg and Marquardt's steps; return minus the logarithm of its likelihood."""
    least = LEAST_REST * count
    tried = np.zeros(9)
    matrix, right = np.empty((9, 9)), np.empty(9)
    damped, step = np.empty((9, 9)), np.empty(9)
    for i in range(9):
        tried[i] = state[i]
    rest, value = 0.0, math.inf
    damping = 1e9  # the first step finds height and background alone
    smallest = math.log(known[4])
    wide = 1.0 / (known[1] * known[1])
    for turn in range(ROUNDS + 1):
        if turn > 0:
            weight = n / (rest + least)
            for i in range(9):
                step[i] = weight * right[i]
                for j in range(i + 1):
                    damped[i, j] = weight * matrix[i, j]
            step[2] -= wide * (state[2] - math.log(known[0]))
            damped[2, 2] += wide
            round_ = 2.0 * known[3] / (known[2] * known[2] + state[3] * state[3])
            step[3] -= round_ * state[3]
            damped[3, 3] += round_
            damped[4, 4] += round_
            for i in range(5):
                damped[i, i] += damping * (damped[i, i] + 1e-6)
            for i in range(5, 9):
                damped[i, i] = damped[i, i] * (1.0 + 1e-9) + 1e-9
            if not _solve(damped, step):
                damping *= 10.0
                if damping > 1e12:
                    break
                continue
            largest = max(abs(step[2]), math.hypot(step[3], step[4])) / STEP
            largest = max(largest, math.hypot(step[0], step[1]) / (0.5 * math.exp(state[2]) + shift))
            shrink = 1.0 / max(largest, 1.0)
            for i in range(9):
                tried[i] = state[i] + (shrink if i < 5 else 1.0) * step[i]
            radial, aside = state[3] + shrink * step[3], shrink * step[4]
            tried[3] = math.hypot(radial, aside)
            tried[4] = state[4] + 0.5 * math.atan2(aside, radial)
            if tried[2] - tried[3] < smallest:
                tried[3] = max(min(tried[3], tried[2] - smallest), 0.0)
                tried[2] = max(tried[2], smallest + tried[3])
        # The equations of the present state are needed again where the step is no good.
        new = _equations(pixel, count, tried, kind, row_var, col_var, damped, step)
        size = (tried[2] - math.log(known[0])) / known[1]
        stretch = tried[3] / known[2]
        expected = 0.5 * size * size + known[3] * math.log(1.0 + stretch * stretch)
        trial = 0.5 * n * math.log(new + least) + expected
        if trial <= value or damping > 1e8:
            done = damping < 1e8 and value - trial < CLOSE
            value, rest = trial, new
            for i in range(9):
                state[i], right[i] = tried[i], step[i]
                for j in range(i + 1):
                    matrix[i, j] = damped[i, j]
            if turn > 0:
                damping = 1e-2 if damping > 1e8 else 0.2 * damping
            if done:
                break
        else:
            damping = max(10.0 * damping, 1e-3)
            if damping > 1e6:
                break
    return float(value) if state[5] > 0.0 else math.inf


@kernel
def fit_ellipse(
    image: _Singles,
    row: float,
    col: float,
    row_mm: float,
    col_mm: float,
    start: _Floats,
    along: float,
    aside: float,
    free: _Floats,
    blur_mm: float,
    known: _Floats,
    independent: float,
    pixel: _Floats,
    found: _Floats,
) -> bool:
    """Fit a blurred ellipse, plate or ball, over an even background, level or sloping, to pixels.

    Parameters
    ----------
    image : (rows, cols) float32 array
        Values.
    row, col : float
        A place on the body, in pixels, that all places are counted from.
    row_mm, col_mm : float
        Pixel spacing, in mm.
    start : (5,) float64 array
        Where to begin: centre (row, col), half axes, and direction of the long one from rising columns
        towards falling rows; mm and radians.
    along, aside : float
        Half axes of the ellipse about the start's centre, turned as that, whose pixels count, in mm.
    free : (RAYS,) float64 array
        Distance beyond which other bodies begin, in mm, as `mcdetect.kernels.reaches.free_reach` counts
        directions.
    blur_mm : float
        SD of the blur ahead of the pixels, in mm.
    known : (5,) float64 array
        `KNOWN`.
    independent : float
        Independent measurements per pixel, at most 1 (noise is blurred too).
    pixel : (n, 3) float64 array
        Scratch; further pixels than n are left out.
    found : (6,) float64 array
        Written: centre (row, col), half axes, direction, volume over the background.

    Returns
    -------
    bool
        Whether a body was found.

    Notes
    -----
    Levenberg and Marquardt's method for the most likely ellipse: least squares with the noise unknown, so
    that the likelihood falls as the power -n/2 of the sum of squares, times what is known of size and
    stretch. The same pixels give a plate that is 12 % smaller than a ball where blur hides the kind. So the
    logarithms of the axes and of the volume are averaged over both, each weighted by its likelihood; the
    rest is that of the likelier.
    """
    y, x, a, b, angle = start[0], start[1], start[2], start[3], start[4]
    count = _gather(image, row, col, row_mm, col_mm, y, x, angle, aside, along, free, pixel)
    if count < 12:
        return False
    n = independent * count
    row_var, col_var = blur_mm * blur_mm + row_mm * row_mm / 12.0, blur_mm * blur_mm + col_mm * col_mm / 12.0
    mean, spread = 0.0, 0.0
    for k in range(count):
        mean += pixel[k, 2] / count
    for k in range(count):
        pixel[k, 2] -= mean
        spread += pixel[k, 2] * pixel[k, 2]
    if not spread > 0.0:
        return False
    # Heights of about one keep the equations well conditioned at any gain.
    unit = math.sqrt(spread / count)
    for k in range(count):
        pixel[k, 2] /= unit
    states = np.zeros((KINDS, 9))
    chance = np.empty(KINDS)
    for kind in range(KINDS):
        state = states[kind]
        if kind == 0:
            state[0], state[1] = y, x
            state[2], state[3], state[4] = 0.5 * math.log(a * b), 0.5 * math.log(a / b), angle
        else:
            for i in range(9):
                state[i] = states[0, i]
            state[2] += BALL_LARGER
        chance[kind] = _fit_kind(pixel, count, kind, row_var, col_var, known, n, blur_mm, state)
    best = 0 if chance[0] <= chance[1] else 1
    if not math.isfinite(chance[best]):
        return False
    total, size, stretch, volume = 0.0, 0.0, 0.0, 0.0
    for kind in range(KINDS):
        if not math.isfinite(chance[kind]):
            continue
        weight = SHARES[kind] * math.exp(chance[best] - chance[kind])
        total += weight
        size += weight * states[kind, 2]
        stretch += weight * states[kind, 3]
        volume += weight * (math.log(states[kind, 5] * VOLUME[kind]) + 2.0 * states[kind, 2])
    found[0], found[1], found[4] = states[best, 0], states[best, 1], states[best, 4]
    found[2], found[3] = math.exp((size + stretch) / total), math.exp((size - stretch) / total)
    found[5] = unit * math.pi * math.exp(volume / total)
    return True
