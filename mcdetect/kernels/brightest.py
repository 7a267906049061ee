"""The tree of bright regions of an image, and how steep the border of each is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.kernels.jit import kernel

__all__ = ["best_regions", "region_tree"]

_Singles = npt.NDArray[np.float32]
_Places = npt.NDArray[np.int32]


@kernel
def region_tree(
    values: _Singles, scale: _Singles, order: _Places, row_mm: float, col_mm: float, steep: float, most: int
) -> tuple[_Places, _Places, _Singles, _Places]:
    """Take the pixels of an image from the brightest to the darkest, and join those that touch.

    Each pixel stands for the region that holds it when it is taken: all that is as bright and touches, also
    at corners. Numbers of regions that join are added (the max-tree by union and find: C. Berger et al.,
    ICIP 2007), and so are the falls across their borders.

    Parameters
    ----------
    values : (rows, cols) float32 array
        Grey levels.
    scale : (rows, cols) float32 array
        Usual difference between neighbours there, per mm.
    order : (n,) int32 array
        Pixels to take, as row * cols + col, by falling value; none on the border of the image.
    row_mm, col_mm : float
        Pixel spacing, in mm.
    steep : float
        A step counts as steep from so many times the usual difference.
    most : int
        Larger regions are of no interest: nothing is measured of them, and they have no larger one.

    Returns
    -------
    parent : (n,) int32 array
        For each of `order`, the number in it of the pixel whose region is the next larger one; its own for
        the last.
    area : (n,) int32 array
        Pixels of each region; `most` + 1 for any larger one.
    fall : (n,) float32 array
        Sum of the steps from a pixel inside to one of its four neighbours outside, over the usual difference.
    border : (n, 2) int32 array
        Number of these steps, and of those that are steep.
    """
    rows, cols = values.shape
    half_down, half_across = np.float32(0.5 * row_mm), np.float32(0.5 * col_mm)
    steps = np.empty((rows * cols, 2), np.float32)  # to the next pixel along the row, to that in the next row
    for row in range(rows - 1):
        for col in range(cols - 1):
            here, level, usual = row * cols + col, values[row, col], scale[row, col]
            steps[here, 0] = abs(level - values[row, col + 1]) / ((usual + scale[row, col + 1]) * half_across)
            steps[here, 1] = abs(level - values[row + 1, col]) / ((usual + scale[row + 1, col]) * half_down)
    number = np.full(rows * cols, -1, np.int32)  # of a pixel of the same region; -2 in what is too large
    n = order.size
    # Of each region one pixel stands for all; and the last that was taken.
    root, node = np.empty(n, np.int32), np.empty(n, np.int32)
    parent, area = np.empty(n, np.int32), np.empty(n, np.int32)
    fall, border = np.empty(n, np.float32), np.empty((n, 2), np.int32)
    around = np.array([-cols - 1, -cols, -cols + 1, -1, 1, cols - 1, cols, cols + 1])
    tops = np.empty(8, np.int32)
    for own in range(n):
        here = order[own]
        large = False
        for k in range(8):
            first = number[here + around[k]]
            top = first
            if first >= 0:
                while root[top] != top and root[top] >= 0:
                    top = root[top]
                top = root[top]
                while root[first] != top:
                    root[first], first = top, root[first]
            tops[k] = top
            large = large or top == -2
        parent[own] = own
        own_area, own_border, own_many, own_fall, whole, widest = 1, 0, 0, np.float32(0.0), np.int32(-1), 0
        if not large:
            for k in range(8):
                top = tops[k]
                if top >= 0 and node[top] != own:
                    part = node[top]
                    parent[part] = node[top] = own
                    own_area += area[part]
                    own_border += border[part, 0]
                    own_many += border[part, 1]
                    own_fall += fall[part]
                    if area[part] > widest:
                        widest = area[part]
                        if whole >= 0:
                            root[whole] = top
                        whole = top
                    else:
                        root[top] = whole
                if k == 1 or k == 3 or k == 4 or k == 6:
                    step = steps[here if k > 3 else here + around[k], 1 if k == 1 or k == 6 else 0]
                    sign = 1 if top == -1 else -1
                    own_border += sign
                    own_fall += sign * step
                    if step >= steep:
                        own_many += sign
            large = own_area > most
        if large:
            own_area, own_border, own_many, own_fall = most + 1, 0, 0, np.float32(0.0)
            whole = np.int32(-2)
            for top in tops:
                if top >= 0:
                    parent[node[top]], root[top] = own, -2
        elif whole < 0:
            whole = np.int32(own)
            node[own] = own
        number[here] = root[own] = whole
        area[own], border[own, 0], border[own, 1], fall[own] = own_area, own_border, own_many, own_fall
    return parent, area, fall, border


@kernel
def best_regions(parent: _Places, score: _Singles, share: float) -> _Places:
    """Choose regions of a tree that do not overlap.

    Parameters
    ----------
    parent : (n,) int32 array
        As `region_tree` returns it.
    score : (n,) float32 array
        How good each region is; 0 for those that are not to be chosen.
    share : float
        A region is preferred to those inside it from this share of the best of their scores.

    Returns
    -------
    (k,) int32 array
        The largest regions that are preferred to what is inside, as numbers in the order.
    """
    best = np.zeros(score.size, np.float32)
    good = np.zeros(score.size, np.bool_)
    for here in range(score.size):
        if score[here] > 0.0 and score[here] >= share * best[here]:
            good[here] = True
            best[here] = max(best[here], score[here])
        if parent[here] != here:
            best[parent[here]] = max(best[parent[here]], best[here])
    chosen = np.empty(score.size, np.int32)
    count = 0
    inside = np.zeros(score.size, np.bool_)
    for here in range(score.size - 1, -1, -1):
        if parent[here] != here and inside[parent[here]]:
            inside[here] = True
        elif good[here]:
            inside[here] = True
            chosen[count] = here
            count += 1
    return chosen[:count]
