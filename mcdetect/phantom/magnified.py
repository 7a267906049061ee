"""Magnification views: a part of a drawn breast, larger on the detector, with the field collimated."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.phantom.calcifications import spacing_pair_mm
from mcdetect.phantom.frame import PhantomMammogram, cluster_table, draw_mammogram

__all__ = ["Field", "draw_magnified"]

Field = Literal["open", "straight", "round"]
"""How a field is collimated: not at all, by blades, or by a round spot paddle."""

_BLADE_MM = 5.0  # Judged: margin that blades leave dark, in the plane of the breast


def draw_magnified(
    shape: tuple[int, int] = (2294, 1914),
    pixel_spacing_mm: float | tuple[float, float] = 0.1,
    *,
    factor: float = 1.8,
    centre_mm: tuple[float, float] | None = None,
    field_mm: tuple[float, float] = (70.0, 60.0),
    collimation: Field = "straight",
    **drawing: Any,
) -> PhantomMammogram:
    """Draw a magnification view of the breast that `draw_mammogram` draws with the same arguments.

    The detector is the same, so that pixels are `factor` times as fine in the breast. Groups lie where they
    lie in the full view.

    Parameters
    ----------
    shape, pixel_spacing_mm
        Of the full view; see `draw_mammogram`.
    factor : float
        Geometric magnification.
    centre_mm : (float, float), optional
        Row and column of the middle of the field in mm from the corner of the full view; by default the
        middle of the first group.
    field_mm : (float, float)
        Height and width of the field in the breast. What lies beyond the full view is left out.
    collimation : {"open", "straight", "round"}
        Whether blades or a round paddle leave the border of the field dark.
    **drawing
        Further arguments of `draw_mammogram`; `label` is False.

    Returns
    -------
    PhantomMammogram
        Its spacing holds in the breast, positions of its truth in its pixels; calcifications outside the
        field are left out.
    """
    pair = spacing_pair_mm(pixel_spacing_mm)
    fine = pair[0] / factor, pair[1] / factor
    size = round(shape[0] * factor), round(shape[1] * factor)
    drawn = draw_mammogram(size, fine, **{**drawing, "label": False})
    if centre_mm is None:
        if not len(drawn.clusters):
            raise ValueError("give centre_mm, or a group to magnify")
        first = drawn.clusters.iloc[0]
        centre_mm = (float(first["row_px"]) + 0.5) * fine[0], (float(first["col_px"]) + 0.5) * fine[1]
    begin = [max(0, round((c - f / 2) / p)) for c, f, p in zip(centre_mm, field_mm, fine, strict=True)]
    end = [min(n, round((c + f / 2) / p)) for c, f, p, n in zip(centre_mm, field_mm, fine, size, strict=True)]
    if end[0] - begin[0] < 64 or end[1] - begin[1] < 64:
        raise ValueError("the field lies outside the full view")
    part = np.s_[begin[0] : end[0], begin[1] : end[1]]
    pixels = drawn.pixels[part].copy()
    exposed = _exposed(pixels.shape, fine, collimation)
    pixels[~exposed] = 0
    pixels.setflags(write=False)
    truth = drawn.truth.assign(
        row_px=drawn.truth["row_px"] - begin[0], col_px=drawn.truth["col_px"] - begin[1]
    )
    there = truth["row_px"].between(0, pixels.shape[0] - 1) & truth["col_px"].between(0, pixels.shape[1] - 1)
    truth = truth[there]
    seen = exposed[truth["row_px"].round().astype(int), truth["col_px"].round().astype(int)]
    truth = truth[seen].reset_index(drop=True)
    return dataclasses.replace(
        drawn,
        pixels=pixels,
        spacing=PixelSpacing(*fine, source="phantom", plane=Plane.OBJECT),
        truth=truth,
        clusters=cluster_table(truth),
        breast=drawn.breast[part],
        pectoral=drawn.pectoral[part],
        magnification=factor,
    )


def _exposed(
    shape: tuple[int, ...], step_mm: tuple[float, float], collimation: Field
) -> npt.NDArray[np.bool_]:
    rows = (np.arange(shape[0]) + 0.5) * step_mm[0]
    cols = (np.arange(shape[1]) + 0.5) * step_mm[1]
    height, width = shape[0] * step_mm[0], shape[1] * step_mm[1]
    if collimation == "round":
        radius = min(height, width) / 2 - 1.0
        away: npt.NDArray[np.float64] = np.hypot(rows[:, None] - height / 2, cols[None, :] - width / 2)
        return away <= radius
    margin = _BLADE_MM if collimation == "straight" else 0.0
    inside_rows = (rows > margin) & (rows < height - margin)
    inside_cols = (cols > margin) & (cols < width - margin)
    return np.asarray(inside_rows[:, None] & inside_cols[None, :])
