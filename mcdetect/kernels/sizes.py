"""Size of a small bright body behind blur: a family of blurred bodies fitted to the pixels.

The outline of a body that is small against the blur is that of the blur; how fast the grey levels fall
round its centre still tells its size. Everything here depends on the distance from the centre alone, so the
pixels are first collected in rings.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.regions import FOREIGN, OWN

__all__ = ["RAYS", "fit_bodies", "fit_body", "free_reach"]

_Floats = npt.NDArray[np.float64]
_Singles = npt.NDArray[np.float32]
_Labels = npt.NDArray[np.int8]

# Judged: more cost time, fewer miss narrow neighbours or make the size jump.
RAYS = 24
"""Directions in which `free_reach` looks, evenly over a full turn."""
SUB = 5  # places, from one of the drawn sizes to the next, at which the likelihood is interpolated

# Technical: rounding.
LEAST_REST = 1e-6  # what a body leaves unexplained is taken as at least this share of the variation
FLAT = 1e-9  # what varies less than this share of its square is constant but for rounding
LEAST_RELIEF = 1e-8  # a body as flat as this within reach is no different from the background


@kernel
def free_reach(
    window: _Singles, label: _Labels, level: float, depth: float, limit: float, out: _Floats
) -> None:
    """How far one may go from the centre of a window before another summit begins.

    Parameters
    ----------
    window : (n, n) float32 array
        Values.
    label : (n, n) int8 array
        Labels, as `flood` leaves them.
    level : float
        Labels count from this value on.
    depth : float
        A rise beyond the own region by more than this is another summit.
    limit : float
        Greatest distance, in grid steps.
    out : (RAYS,) float64 array
        Written to: distance in each direction, in grid steps; direction k has the angle
        2 pi (k + 0.5) / RAYS from rising columns towards rising rows.
    """
    half = window.shape[0] // 2
    last = int(min(limit, half - 1.0))
    for k in range(RAYS):
        angle = 2.0 * math.pi * (k + 0.5) / RAYS
        down, right = math.sin(angle), math.cos(angle)
        start = 0
        stop = last
        for m in range(last + 1):
            r = half + math.floor(m * down + 0.5)
            c = half + math.floor(m * right + 0.5)
            if window[r, c] < level:
                continue
            if label[r, c] == FOREIGN:
                stop = m
                break
            if label[r, c] == OWN:
                start = m
        lowest, at = math.inf, start
        other = stop < last
        for m in range(start, stop + 1):
            value = window[half + math.floor(m * down + 0.5), half + math.floor(m * right + 0.5)]
            if value < lowest:
                lowest, at = value, m
            elif value > lowest + depth:
                other = True
                break
        out[k] = at if other else limit


@kernel(inline=True)
def _rings(
    image: _Singles,
    row: float,
    col: float,
    row_mm: float,
    col_mm: float,
    angle: float,
    stretch: float,
    reach: float,
    free: _Floats,
    step: float,
    ring: _Floats,
) -> tuple[float, float, float, float, float, float]:
    """Collect pixels by elliptical distance from a centre.

    `ring` receives for each ring the number of its pixels and the sums of their values, rows and columns (in
    mm from the centre); a pixel is shared linearly between the two nearest radii, and values count from that
    of the central pixel. Returns the sums over all pixels of value^2, y^2, x y, x^2, y value and x value.
    """
    rows, cols = image.shape
    across = reach * math.sqrt(stretch)
    low_r = max(0, math.ceil(row - across / row_mm))
    high_r = min(rows - 1, math.floor(row + across / row_mm))
    low_c = max(0, math.ceil(col - across / col_mm))
    high_c = min(cols - 1, math.floor(col + across / col_mm))
    base = image[min(max(math.floor(row + 0.5), 0), rows - 1), min(max(math.floor(col + 0.5), 0), cols - 1)]
    cos, sin = math.cos(angle), math.sin(angle)
    for k in range(ring.shape[1]):
        ring[0, k], ring[1, k], ring[2, k], ring[3, k] = 0.0, 0.0, 0.0, 0.0
    squares, yy, xy, xx, yv, xv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for r in range(low_r, high_r + 1):
        y = (r - row) * row_mm
        for c in range(low_c, high_c + 1):
            x = (c - col) * col_mm
            along, aside = x * cos - y * sin, x * sin + y * cos
            distance = math.sqrt(along * along / stretch + aside * aside * stretch)
            if distance > reach:
                continue
            turn = math.atan2(y, x) / (2.0 * math.pi) * RAYS
            if math.hypot(y, x) > free[math.floor(turn) % RAYS]:
                continue
            value = image[r, c] - base
            place = distance / step
            k = math.floor(place)
            share = place - k
            ring[0, k] += 1.0 - share
            ring[0, k + 1] += share
            ring[1, k] += (1.0 - share) * value
            ring[1, k + 1] += share * value
            ring[2, k] += (1.0 - share) * y
            ring[2, k + 1] += share * y
            ring[3, k] += (1.0 - share) * x
            ring[3, k + 1] += share * x
            squares += value * value
            yy += y * y
            xy += x * y
            xx += x * x
            yv += y * value
            xv += x * value
    return squares, yy, xy, xx, yv, xv


@kernel(fast="sums", inline=True)
def fit_body(
    image: _Singles,
    row: float,
    col: float,
    row_mm: float,
    col_mm: float,
    angle: float,
    stretch: float,
    reach: float,
    free: _Floats,
    profiles: _Floats,
    volumes: _Floats,
    prior: _Floats,
    ring_mm: float,
    independent: float,
) -> tuple[float, float]:
    """Expected size of a blurred body over an even background, level or sloping, given the pixels.

    Parameters
    ----------
    image : (rows, cols) float32 array
        Values.
    row, col : float
        Its centre, in pixels.
    row_mm, col_mm : float
        Pixel spacing, in mm.
    angle : float
        Direction of its long axis, from rising columns towards falling rows, in radians.
    stretch : float
        Long over short axis, at least 1.
    reach : float
        Pixels within this distance count, in mm, in units in which the body is a disc of the same area.
    free : (RAYS,) float64 array
        Distance beyond which other bodies begin, in mm, as `free_reach` counts directions.
    profiles : (kinds, sizes, rings) float64 array
        Blurred bodies, height 1, by size and distance in steps of `ring_mm`.
    volumes : (kinds, sizes) float64 array
        Their integrals, in mm2.
    prior : (kinds, sizes) float64 array
        Logarithm of what is known of kind and size beforehand.
    ring_mm : float
        Step of the profiles, in mm.
    independent : float
        Independent measurements per pixel, at most 1 (noise is blurred too).

    Returns
    -------
    place, volume : float
        Expected position among the sizes (0 for the first), and the integral over the background, its
        logarithm averaged, in units of the image times mm2. Both NaN when nothing rises over the background.

    Notes
    -----
    Least squares in height and the plane of the background for each size, noise unknown: the likelihood
    falls as the power -n/2 of the residual sum of squares. Between sizes its logarithm is interpolated by
    parabolas.
    """
    kinds, sizes, rings = profiles.shape
    chance = np.empty((kinds, sizes))
    volume = np.empty((kinds, sizes))
    ring = np.empty((4, rings + 1))
    reach = min(reach, (rings - 2) * ring_mm)
    last = math.ceil(reach / ring_mm) + 1
    squares, yy, xy, xx, yv, xv = _rings(
        image, row, col, row_mm, col_mm, angle, stretch, reach, free, ring_mm, ring
    )
    n, total, y, x = 0.0, 0.0, 0.0, 0.0
    for k in range(last):
        n += ring[0, k]
        total += ring[1, k]
        y += ring[2, k]
        x += ring[3, k]
    if n < 5.0:
        return math.nan, math.nan
    # The background is spanned by 1, y and x, of which each is freed from those before it.
    yy -= y * y / n
    yv -= y * total / n
    tilt = (xy - x * y / n) / yy if yy > 0.0 else 0.0
    xx -= x * x / n + tilt * tilt * yy
    xv -= x * total / n + tilt * yv
    down = 1.0 / yy if yy > FLAT * n * row_mm * row_mm else 0.0
    right = 1.0 / xx if xx > FLAT * n * col_mm * col_mm else 0.0
    spread = squares - total * total / n - yv * yv * down - xv * xv * right
    if not spread > FLAT * squares:
        return math.nan, math.nan
    best = -math.inf
    for p in range(kinds):
        for s in range(sizes):
            t, tt, tv, ty, tx = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(last):
                value = profiles[p, s, k]
                weighted = ring[0, k] * value
                t += weighted
                tt += weighted * value
                tv += ring[1, k] * value
                ty += ring[2, k] * value
                tx += ring[3, k] * value
            ty -= t * y / n
            tx -= t * x / n + tilt * ty
            tt -= t * t / n + ty * ty * down + tx * tx * right
            tv -= t * total / n + ty * yv * down + tx * xv * right
            chance[p, s], volume[p, s] = -math.inf, 0.0
            if not (tv > 0.0 and tt > LEAST_RELIEF * n):
                continue
            rest = max(spread - tv * tv / tt, LEAST_REST * spread)
            chance[p, s] = prior[p, s] - 0.5 * n * independent * math.log(rest / spread)
            volume[p, s] = math.log(tv / tt * volumes[p, s])
            best = max(best, chance[p, s])
    weight, place, amount = 0.0, 0.0, 0.0
    for p in range(kinds):
        for s in range(1, sizes - 1):
            low, mid, high = chance[p, s - 1], chance[p, s], chance[p, s + 1]
            if max(low, mid, high) < best - 12.0 or min(low, mid, high) == -math.inf:
                continue
            for k in range(SUB):
                share = (k - SUB // 2) / SUB
                log = mid + 0.5 * share * (high - low) + 0.5 * share * share * (high - 2.0 * mid + low)
                w = math.exp(min(log - best, 2.0))
                weight += w
                place += w * (s + share)
                amount += w * volume[p, s]
    if not weight > 0.0:
        return math.nan, math.nan
    return place / weight, math.exp(amount / weight)


@kernel(fast="sums")
def fit_bodies(
    image: _Singles,
    row: _Floats,
    col: _Floats,
    row_mm: float,
    col_mm: float,
    angle: _Floats,
    stretch: _Floats,
    reach: _Floats,
    free: _Floats,
    profiles: _Floats,
    volumes: _Floats,
    prior: _Floats,
    ring_mm: float,
    independent: float,
    out: _Floats,
) -> None:
    """Fit every body, see `fit_body`.

    Parameters
    ----------
    reach : (n,) float64 array
        A body whose reach is NaN is passed over.
    out : (n, 2) float64 array
        Written: place and volume.
    """
    for i in range(row.size):
        if reach[i] > 0.0:
            out[i, 0], out[i, 1] = fit_body(
                image,
                row[i],
                col[i],
                row_mm,
                col_mm,
                angle[i],
                stretch[i],
                reach[i],
                free[i],
                profiles,
                volumes,
                prior,
                ring_mm,
                independent,
            )
