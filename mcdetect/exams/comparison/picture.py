"""The picture of a comparison: the prior image, warped, beside the current one; groups by verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from mcdetect import __version__
from mcdetect.exams.comparison.registration import Registration
from mcdetect.exams.comparison.texture import STEP_MM
from mcdetect.image.mammogram import Mammogram
from mcdetect.pictures import drawing
from mcdetect.pictures.display import shrink, take_crop
from mcdetect.pictures.drawing import FAINT, INK, MOST_PANELS, OUTLINE_MM, PAPER, Colour, Picture

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.exams.comparison.compare import Comparison

__all__ = ["VERDICT_COLOURS", "draw_comparison"]

# Standard: after Okabe and Ito's colours, which colour-blind readers tell apart too.
VERDICT_COLOURS: dict[str, Colour] = {
    "new": (240, 90, 40),
    "grown": (240, 228, 66),
    "stable": (86, 180, 233),
    "gone": (204, 121, 200),
    "uncertain": (170, 170, 170),
}

# Judged: layout of the picture, by eye; lengths in px unless the name says mm.
_NARROWEST = 900  # width of a picture
_MARGIN = 12  # left and right
_GAP = 8  # between pictures
_HEADER = 64
_FOOTER = 58
_TITLE = 26  # above each magnified group
_RADIUS_MM = 0.5  # of the circle about a calcification
_CROP_MM = (10.0, 40.0)  # side of a magnified part: least, most
_CROP_MARGIN_MM = 2.5  # about the group in it
_TALLEST = 1500  # height of a breast


def draw_comparison(found: Comparison, *, width_px: int = 1800) -> Picture:
    """Draw a comparison.

    Left the prior image as the current one would show it, right the current one, both at one scale;
    groups that are flagged in either are outlined in the colour of their verdict and numbered as in
    the table of changes. Below, groups are magnified: prior beside current.

    Parameters
    ----------
    found : Comparison
    width_px : int
        Width of the picture, in px; at least 900.

    Returns
    -------
    (rows, cols, 3) uint8 array
        RGB picture.
    """
    if width_px < _NARROWEST:
        raise ValueError(f"width_px = {width_px}: must be at least {_NARROWEST}")
    image = found.current.mammogram
    rows_mm = image.shape[0] * image.spacing.row_mm
    cols_mm = image.shape[1] * image.spacing.col_mm
    half = (width_px - 2 * _MARGIN - _GAP) // 2
    scale = min(half / cols_mm, _TALLEST / rows_mm)
    size = max(1, round(rows_mm * scale)), max(1, round(cols_mm * scale))
    groups = found.changes[found.changes["current_flagged"] | found.changes["prior_flagged"]]
    panels = _chosen(groups)
    side = (width_px - 2 * _MARGIN - 2 * 3 * _GAP) // 6
    lines = -(-len(panels) // 3)
    height = _HEADER + size[0] + lines * (side + _TITLE + _GAP) + _FOOTER
    picture: Picture = np.full((height, width_px, 3), PAPER, dtype=np.uint8)
    lefts = (_MARGIN + half - size[1], _MARGIN + half + _GAP)
    if lines == 0 or size[1] == half:
        lefts = (_MARGIN, _MARGIN + half + _GAP)
    warped = _warped_prior(found.prior.mammogram, found.registration, image)
    for left, grey in zip(lefts, (_resized(warped, size), shrink(image, size)), strict=True):
        area = picture[_HEADER : _HEADER + size[0], left : left + size[1]]
        area[:] = grey[:, :, None]
    for current, left in ((False, lefts[0]), (True, lefts[1])):
        area = picture[_HEADER : _HEADER + size[0], left : left + size[1]]
        canvas = np.ascontiguousarray(area)
        _mark_groups(canvas, found, groups, scale, current=current)
        area[:] = canvas
    for number, (_, group) in enumerate(panels.iterrows()):
        line, place = divmod(number, 3)
        top = _HEADER + size[0] + _GAP + line * (side + _TITLE + _GAP)
        left = _MARGIN + place * (2 * side + 3 * _GAP)
        _draw_pair(picture, found, group, top, left, side)
    _write_words(picture, found, groups, lefts, scale)
    return picture


def _chosen(groups: pd.DataFrame) -> pd.DataFrame:
    order = {verdict: k for k, verdict in enumerate(("new", "grown", "gone", "uncertain", "stable"))}
    ranked = groups.assign(rank=groups["verdict"].map(order))
    return ranked.sort_values(["rank", "change_id"]).head(MOST_PANELS)


def _warped_prior(prior: Mammogram, registration: Registration, current: Mammogram) -> npt.NDArray[np.uint8]:
    """Return the prior image for the eye, on the 0.5 mm grid of the current one enlarged fourfold."""
    spacing = prior.spacing
    fine = min(0.125, 2.0 * spacing.mean_mm)
    shape = (
        max(8, round(prior.shape[0] * spacing.row_mm / fine)),
        max(8, round(prior.shape[1] * spacing.col_mm / fine)),
    )
    grey = shrink(prior, shape)
    rows, cols = registration.field_mm.shape[:2]
    times = 4
    field = cv2.resize(registration.field_mm, (cols * times, rows * times), interpolation=cv2.INTER_LINEAR)
    step = STEP_MM / times
    row = (np.arange(rows * times, dtype=np.float32)[:, None] + np.float32(0.5)) * np.float32(step)
    col = (np.arange(cols * times, dtype=np.float32)[None, :] + np.float32(0.5)) * np.float32(step)
    row_step = prior.shape[0] * spacing.row_mm / shape[0]
    col_step = prior.shape[1] * spacing.col_mm / shape[1]
    row_map = (row + field[..., 0]) / np.float32(row_step) - np.float32(0.5)
    col_map = (col + field[..., 1]) / np.float32(col_step) - np.float32(0.5)
    moved = cv2.remap(
        grey,
        col_map.astype(np.float32),
        row_map.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0.0,),
    )
    return np.asarray(moved, dtype=np.uint8)


def _resized(grey: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    way = cv2.INTER_AREA if size[0] < grey.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (size[1], size[0]), interpolation=way), dtype=np.uint8)


def _members(found: Comparison, change_id: int, *, current: bool) -> pd.DataFrame:
    """Return the calcifications of one row of changes that one of the images shows."""
    table = found.members
    seen = table["seen_current" if current else "seen_prior"] != "no"
    return table[(table["change_id"] == change_id) & seen]


def _here_px(found: Comparison, table: pd.DataFrame, *, current: bool) -> npt.NDArray[np.float64]:
    """Return (n, 2) places in the current image, px; the prior image's ones mapped there."""
    names = ["row_px", "col_px"] if current else ["prior_row_px", "prior_col_px"]
    places = table[names].to_numpy(np.float64)
    if current:
        return places
    before, after = found.prior.mammogram.spacing, found.current.mammogram.spacing
    own = (places + 0.5) * np.array([before.row_mm, before.col_mm])
    here = found.registration.to_current(own)
    return np.asarray(here / np.array([after.row_mm, after.col_mm]) - 0.5, dtype=np.float64)


def _mark_groups(
    area: Picture, found: Comparison, groups: pd.DataFrame, scale: float, *, current: bool
) -> None:
    """Outline the groups on one of the two large pictures; thinly where it shows none."""
    spacing = found.current.mammogram.spacing
    to_picture = np.array([spacing.row_mm, spacing.col_mm]) * scale
    for _, group in groups.iterrows():
        number = int(group["change_id"])
        colour = VERDICT_COLOURS[str(group["verdict"])]
        seen = _here_px(found, _members(found, number, current=current), current=current)
        verdict = str(group["verdict"])
        there = verdict != ("new" if not current else "gone")
        places = seen if there and len(seen) else np.empty((0, 2))
        if not len(places):  # where the other image shows it
            places = _here_px(found, _members(found, number, current=not current), current=not current)
        if not len(places):
            continue
        for row, col in (seen + 0.5) * to_picture - 0.5:
            drawing.circle(area, float(row), float(col), max(1.5, _RADIUS_MM * scale), colour, 1)
        points = (places + 0.5) * to_picture - 0.5
        line = drawing.outline(area, points, OUTLINE_MM * scale, colour, 2 if there else 1)
        row = int(np.clip(line[:, 0].min() - 4, 14, area.shape[0] - 4))
        col = int(np.clip(line[:, 1].max() + 2, 2, area.shape[1] - 24))
        drawing.text(area, str(number), row, col, colour, height=13, bold=True)


def _draw_pair(picture: Picture, found: Comparison, group: pd.Series, top: int, left: int, side: int) -> None:
    """Draw one group magnified: prior beside current, each in its own pixels."""
    number, verdict = int(group["change_id"]), str(group["verdict"])
    colour = VERDICT_COLOURS[verdict]
    counts = [f"{group[f'number_{when}']:.0f}".replace("nan", "?") for when in ("prior", "current")]
    words = f"{number}  {verdict}: {counts[0]} -> {counts[1]}"
    drawing.text(picture, drawing.fit_text(words, 2 * side, height=11), top + 18, left, colour, height=11)
    extents = [_CROP_MM[0]]
    for side_result, table, names in (
        (found.prior, _members(found, number, current=False), ("prior_row_px", "prior_col_px")),
        (found.current, _members(found, number, current=True), ("row_px", "col_px")),
    ):
        spacing = side_result.mammogram.spacing
        for name, step in zip(names, (spacing.row_mm, spacing.col_mm), strict=True):
            if len(table):
                extents.append(float(np.ptp(table[name])) * step + 2 * _CROP_MARGIN_MM)
    side_mm = min(max(extents), _CROP_MM[1])
    for current, at in ((False, left), (True, left + side + _GAP)):
        names = ("row_px", "col_px") if current else ("prior_row_px", "prior_col_px")
        result = found.current if current else found.prior
        centre = float(group[names[0]]), float(group[names[1]])
        grey = take_crop(result.mammogram, centre, side_mm, side)
        if not current and found.registration.mirrored:
            grey = np.ascontiguousarray(grey[:, ::-1])
        crop = np.repeat(grey[:, :, None], 3, axis=2)
        table = _members(found, number, current=current)
        spacing = result.mammogram.spacing
        places = table[list(names)].to_numpy(np.float64) - np.array(centre)
        places = places * np.array([spacing.row_mm, spacing.col_mm]) * (side / side_mm) + 0.5 * side - 0.5
        if not current and found.registration.mirrored:
            places[:, 1] = side - 1 - places[:, 1]
        for (row, col), what in zip(places, table["seen_current" if current else "seen_prior"], strict=True):
            radius = 0.6 * side / side_mm
            drawing.circle(crop, float(row), float(col), radius, colour if what == "called" else FAINT, 1)
        picture[top + _TITLE : top + _TITLE + side, at : at + side] = crop


def _write_words(
    picture: Picture, found: Comparison, groups: pd.DataFrame, lefts: tuple[int, int], scale: float
) -> None:
    width, height = picture.shape[1], picture.shape[0]
    half = (width - 2 * _MARGIN - _GAP) // 2
    quality = found.registration
    if quality.registered:
        state = f"registered to {quality.uncertainty_mm:.1f} mm (agreement {quality.agreement:.2f})"
    else:
        state = f"NOT REGISTERED (agreement {quality.agreement:.2f}): every verdict is uncertain"
    drawing.text(
        picture, state, 24, _MARGIN, INK if quality.registered else VERDICT_COLOURS["new"], height=12
    )
    for left, shown, what in (
        (lefts[0], found.prior, "prior, as the current image would show it"),
        (lefts[1], found.current, "current"),
    ):
        image = shown.mammogram
        view = " ".join(part for part in (image.laterality, image.view) if part)
        name = "   ".join(part for part in (what, image.source, view) if part)
        drawing.text(picture, drawing.fit_text(name, half - 8, height=11), 52, left, INK, height=11)
    col = _MARGIN
    for verdict, colour in VERDICT_COLOURS.items():
        count = int((groups["verdict"] == verdict).sum())
        words = f"{verdict} {count}"
        drawing.circle(picture, height - 37, col + 6, 5.0, colour, 2)
        drawing.text(picture, words, height - 32, col + 18, INK, height=10)
        col += 18 + drawing.text_width(words, height=10) + 22
    drawing.scale_bar(picture, height - 32, width - _MARGIN, scale, 130, INK, height=10)
    note = f"mcdetect {__version__}: flagged groups only; for research use, not a medical device"
    drawing.text(picture, note, height - 10, _MARGIN, FAINT, height=9)
