"""The picture of a result: the whole mammogram with marks, and each flagged group magnified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mcdetect import __version__
from mcdetect.image.mammogram import Mammogram
from mcdetect.image.slab import Slab
from mcdetect.pictures import drawing
from mcdetect.pictures.display import shrink, take_crop
from mcdetect.pictures.drawing import FAINT, INK, MOST_PANELS, OUTLINE_MM, PAPER, Colour, Picture

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["draw_overlay"]

# Standard: after Okabe and Ito's colours, which colour-blind readers tell apart too.
_FLAGGED: Colour = (240, 228, 66)
_MEMBER: Colour = (255, 150, 40)
_OTHER: Colour = (86, 180, 233)

# Judged: layout of the picture, by eye; lengths in px unless the name says mm.
_RADIUS_MM = 0.6  # of the circle about a calcification, at least
_GAP_MM = 0.3  # between a calcification and its circle
_CROP_MARGIN_MM = 1.75  # about a group in its magnified part
_SMALLEST_CROP_MM = 8.0  # side of a magnified part
_LARGEST_CROP_MM = 40.0
_NARROWEST = 800  # width of a picture
_MARGIN = 12  # left and right
_HEADER = 40
_FOOTER = 62
_TITLE = 48  # above each magnified group
_GAP = 6  # between pictures


@dataclass(frozen=True)
class _View:
    """Where a part of the mammogram lies on the picture.

    Parameters
    ----------
    row, col : float
        Picture position of the mammogram's pixel (0, 0), in px.
    row_scale, col_scale : float
        Picture px per image px.
    px_per_mm : float
        Picture px per mm, along both axes.
    """

    row: float
    col: float
    row_scale: float
    col_scale: float
    px_per_mm: float

    def place(self, table: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return (n, 2) picture rows and columns of the positions in a table."""
        rows = table["row_px"].to_numpy(np.float64) * self.row_scale + self.row
        cols = table["col_px"].to_numpy(np.float64) * self.col_scale + self.col
        return np.stack([rows, cols], axis=1)


@dataclass(frozen=True)
class _Layout:
    """Sizes and places on the picture, in px: the mammogram, and one pair of crops per panel."""

    width: int
    height: int
    image: tuple[int, int, int, int]
    panels: tuple[tuple[int, int, int], ...]


def draw_overlay(
    mammogram: Mammogram,
    calcifications: pd.DataFrame,
    clusters: pd.DataFrame,
    *,
    slabs: Mapping[int, Slab] | None = None,
    width_px: int = 1600,
) -> Picture:
    """Draw a mammogram with its findings.

    Flagged groups are outlined and numbered, calcifications circled: members of flagged groups in
    one colour, all others in another. The best flagged groups are also shown magnified, without
    marks beside with marks; those of a typically benign kind only where there is room left.

    Parameters
    ----------
    mammogram : Mammogram
        The image.
    calcifications, clusters : DataFrame
        Tables with the columns of `mcdetect.schema`.
    slabs : mapping of int to Slab, optional
        For tomosynthesis: what to magnify of each group, by its number.
    width_px : int
        Largest width of the picture, in px; at least 800.

    Returns
    -------
    (rows, cols, 3) uint8 array
        RGB picture.
    """
    if width_px < _NARROWEST:
        raise ValueError(f"width_px = {width_px}: must be at least {_NARROWEST}")
    flagged = clusters[clusters["flagged"]].sort_values(["score", "cluster_id"], ascending=[False, True])
    shown = _first_to_see(flagged).head(MOST_PANELS)
    layout = _arrange(mammogram, len(shown), width_px)
    picture: Picture = np.full((layout.height, layout.width, 3), PAPER, dtype=np.uint8)
    whole = _draw_whole(picture, mammogram, layout, calcifications, flagged)
    for place, (_, cluster) in zip(layout.panels, shown.iterrows(), strict=True):
        slab = (slabs or {}).get(int(cluster["cluster_id"]))
        _draw_panel(picture, place, mammogram, calcifications, flagged, cluster, slab)
    _write_header(picture, mammogram, calcifications, flagged)
    _write_footer(picture, whole, layout.image[1] + layout.image[3], len(flagged) - len(shown))
    return picture


def _arrange(mammogram: Mammogram, panels: int, width: int) -> _Layout:
    """Place up to three panels beside an upright mammogram; all others go below it in rows of three."""
    rows, cols = mammogram.shape
    aspect = rows * mammogram.spacing.row_mm / (cols * mammogram.spacing.col_mm)
    inner = width - 2 * _MARGIN
    upright = aspect > 0.75
    image_width = round(0.57 * inner * min(1.0, 1.3 / aspect)) if upright else inner
    image_width = max(1, image_width)
    image_height = max(1, round(image_width * aspect))
    top = _HEADER
    bottom = top + image_height
    beside = min(panels, 3) if upright else 0
    places: list[tuple[int, int, int]] = []
    if beside:
        left = _MARGIN + image_width + 2 * _GAP
        side = min((width - _MARGIN - left - _GAP) // 2, 420)
        side = max(side, (image_height - 2 * _GAP) // 3 - _TITLE) if side * 3 < image_height else side
        side = min(side, (width - _MARGIN - left - _GAP) // 2)
        for index in range(beside):
            places.append((top + index * (side + _TITLE + _GAP), left, side))
        bottom = max(bottom, top + beside * (side + _TITLE + _GAP))
    below = panels - beside
    if below:
        per_row = min(3, max(2, below))
        side = (inner - (per_row - 1) * 3 * _GAP - per_row * _GAP) // (2 * per_row)
        bottom += 2 * _GAP
        for index in range(below):
            row, col = divmod(index, per_row)
            places.append(
                (
                    bottom + row * (side + _TITLE + _GAP),
                    _MARGIN + col * (2 * side + 4 * _GAP),
                    side,
                )
            )
        bottom += -(-below // per_row) * (side + _TITLE + _GAP)
    drawn_width = width if panels else max(image_width + 2 * _MARGIN, _NARROWEST)
    left = _MARGIN if panels else (drawn_width - image_width) // 2
    return _Layout(drawn_width, bottom + _FOOTER, (top, left, image_height, image_width), tuple(places))


def _draw_whole(
    picture: Picture,
    mammogram: Mammogram,
    layout: _Layout,
    calcifications: pd.DataFrame,
    flagged: pd.DataFrame,
) -> _View:
    top, left, height, width = layout.image
    rows, cols = mammogram.shape
    grey = shrink(mammogram, (height, width))
    area = picture[top : top + height, left : left + width]
    area[:] = grey[:, :, None]
    row_scale, col_scale = height / rows, width / cols
    view = _View(
        0.5 * row_scale - 0.5,
        0.5 * col_scale - 0.5,
        row_scale,
        col_scale,
        width / (cols * mammogram.spacing.col_mm),
    )
    _circle_all(area, view, calcifications, flagged)
    taken: list[tuple[int, int]] = []
    for _, cluster in flagged.iterrows():
        members = calcifications[calcifications["cluster_id"] == cluster["cluster_id"]]
        points = view.place(members if len(members) else cluster.to_frame().T)
        hull = drawing.outline(area, points, OUTLINE_MM * view.px_per_mm, _FLAGGED, 2)
        _number(area, str(cluster["cluster_id"]), hull, taken)
    return view


def _circle_all(
    area: Picture, view: _View, calcifications: pd.DataFrame, flagged: pd.DataFrame, smallest: float = 4.0
) -> None:
    """Circle calcifications; flagged members last, so that they lie on top."""
    inside = calcifications["cluster_id"].isin(flagged["cluster_id"]).to_numpy(np.bool_)
    points = view.place(calcifications)
    diameters = calcifications["diameter_mm"].to_numpy(np.float64)
    radii = np.maximum(_RADIUS_MM, 0.5 * diameters + _GAP_MM) * view.px_per_mm
    for wanted, colour in ((False, _OTHER), (True, _MEMBER)):
        for index in np.flatnonzero(inside == wanted):
            row, col = points[index]
            drawing.circle(area, float(row), float(col), max(smallest, float(radii[index])), colour)


def _number(area: Picture, label: str, hull: npt.NDArray[np.float64], taken: list[tuple[int, int]]) -> None:
    """Write a group's number beside its outline, where it is inside the picture and free."""
    height = 13
    width = drawing.text_width(label, height=height, bold=True)
    first, last = hull.min(axis=0), hull.max(axis=0)
    corners = [
        (first[0] + height, last[1] + 5),
        (first[0] + height, first[1] - width - 5),
        (last[0], last[1] + 5),
        (last[0], first[1] - width - 5),
        (first[0] - 6, 0.5 * (first[1] + last[1] - width)),
        (last[0] + height + 6, 0.5 * (first[1] + last[1] - width)),
    ]
    places = [
        (
            int(np.clip(row, height + 3, max(height + 3, area.shape[0] - 4))),
            int(np.clip(col, 3, max(3, area.shape[1] - width - 4))),
        )
        for row, col in corners
    ]
    moved = [abs(place[1] - corner[1]) > 1 for place, corner in zip(places, corners, strict=True)]

    def cost(index: int) -> tuple[int, bool, int]:
        row, col = places[index]
        near = sum(abs(row - r) < height + 6 and abs(col - c) < width + 10 for r, c in taken)
        return near, moved[index], index

    row, col = places[min(range(len(places)), key=cost)]
    taken.append((row, col))
    box = area[max(0, row - height - 3) : row + 4, max(0, col - 3) : col + width + 3]
    box[:] = box // 3
    drawing.text(area, label, row, col, _FLAGGED, height=height, bold=True)


def _draw_panel(
    picture: Picture,
    place: tuple[int, int, int],
    mammogram: Mammogram,
    calcifications: pd.DataFrame,
    flagged: pd.DataFrame,
    cluster: pd.Series,
    slab: Slab | None,
) -> None:
    top, left, side = place
    spacing = mammogram.spacing
    extent_mm = max(
        (float(cluster["max_row_px"]) - float(cluster["min_row_px"])) * spacing.row_mm,
        (float(cluster["max_col_px"]) - float(cluster["min_col_px"])) * spacing.col_mm,
    )
    side_mm = float(np.clip(extent_mm + 2.0 * _CROP_MARGIN_MM, _SMALLEST_CROP_MM, _LARGEST_CROP_MM))
    centre = (
        _centre(
            float(cluster["min_row_px"]), float(cluster["max_row_px"]), side_mm / spacing.row_mm, 0, mammogram
        ),
        _centre(
            float(cluster["min_col_px"]), float(cluster["max_col_px"]), side_mm / spacing.col_mm, 1, mammogram
        ),
    )
    px_per_mm = side / side_mm
    title = f"n = {cluster['n_calcifications']}   score {float(cluster['score']):.2f}"
    if slab is not None:
        own = calcifications["cluster_id"] == cluster["cluster_id"]
        near = calcifications["slice"].between(slab.first, slab.last)
        calcifications = calcifications[own | near]
        title += (
            f"   slices {slab.first} to {slab.last}" if slab.last > slab.first else f"   slice {slab.first}"
        )
    base = top + _TITLE - 28
    number = str(cluster["cluster_id"])
    drawing.text(picture, number, base, left, _FLAGGED, height=13, bold=True)
    indent = drawing.text_width(number, height=13, bold=True) + 12
    drawing.text(picture, title, base, left + indent, INK, height=11)
    drawing.scale_bar(picture, base, left + 2 * side + _GAP, px_per_mm, side // 3, INK, height=10)
    words = drawing.fit_text(_describe(cluster), 2 * side + _GAP, height=10)
    drawing.text(picture, words, base + 20, left, FAINT, height=10)
    if slab is None:
        crop = take_crop(mammogram, centre, side_mm, side)
    else:
        down, across = slab.origin_px
        crop = take_crop(slab.image, (centre[0] - down, centre[1] - across), side_mm, side)
    top += _TITLE
    picture[top : top + side, left : left + side] = crop[:, :, None]
    marked = picture[top : top + side, left + side + _GAP : left + 2 * side + _GAP]
    marked[:] = crop[:, :, None]
    row_scale, col_scale = px_per_mm * spacing.row_mm, px_per_mm * spacing.col_mm
    middle = 0.5 * side - 0.5
    view = _View(
        middle - centre[0] * row_scale, middle - centre[1] * col_scale, row_scale, col_scale, px_per_mm
    )
    canvas: Picture = np.ascontiguousarray(marked)
    _circle_all(canvas, view, calcifications, flagged)
    marked[:] = canvas


def _first_to_see(flagged: pd.DataFrame) -> pd.DataFrame:
    """Put groups of typically benign kinds, as the pieces of calcified arteries, after all others."""
    return flagged.iloc[np.argsort(flagged["benign_kind"].fillna("").ne("").to_numpy(), kind="stable")]


def _describe(cluster: pd.Series) -> str:
    """Return the suspicion index of a group and the words for it."""
    words = [f"suspicion index {float(cluster['suspicion']):.0f}"]
    words += [str(cluster[name]).replace("_", " ") for name in ("distribution", "morphology")]
    if cluster["benign_kind"] and cluster["benign_kind"] != cluster["morphology"]:
        words.append(f"benign kind: {cluster['benign_kind']}")
    if float(cluster["casting_type"]) >= 0.5:
        words.append("casting type")
    return ", ".join(word for word in words if word)


def _centre(first: float, last: float, length: float, axis: int, mammogram: Mammogram) -> float:
    """Return the centre of a crop along one axis, moved inside the image where that is possible."""
    size = mammogram.shape[axis]
    middle = 0.5 * (first + last)
    if length >= size:
        return 0.5 * (size - 1)
    return float(np.clip(middle, 0.5 * length - 0.5, size - 0.5 - 0.5 * length))


def _write_header(
    picture: Picture, mammogram: Mammogram, calcifications: pd.DataFrame, flagged: pd.DataFrame
) -> None:
    found = f"{_count(len(flagged), 'flagged group')}, {_count(len(calcifications), 'calcification')}"
    width = picture.shape[1]
    right = width - _MARGIN - drawing.text_width(found, height=12)
    drawing.text(picture, found, 26, right, _FLAGGED if len(flagged) else INK, height=12)
    view = " ".join(part for part in (mammogram.laterality, mammogram.view) if part)
    name = "   ".join(part for part in (mammogram.source, view) if part)
    drawing.text(picture, drawing.fit_text(name, right - 3 * _MARGIN, height=12), 26, _MARGIN, INK, height=12)


def _write_footer(picture: Picture, view: _View, right: int, hidden: int) -> None:
    height, width = picture.shape[:2]
    first, second = height - 36, height - 12
    col = _MARGIN
    for colour, words in (
        (_FLAGGED, "flagged group"),
        (_MEMBER, "its calcifications"),
        (_OTHER, "other calcifications"),
    ):
        drawing.circle(picture, first - 5, col + 6, 5.0, colour, 2 if colour is _FLAGGED else 1)
        drawing.text(picture, words, first, col + 18, INK, height=10)
        col += 18 + drawing.text_width(words, height=10) + 22
    drawing.scale_bar(picture, first, max(right, col + 190), view.px_per_mm, 130, INK, height=10)
    note = f"mcdetect {__version__}: for research use, not a medical device"
    drawing.text(picture, note, second, _MARGIN, FAINT, height=9)
    if hidden > 0:
        more = f"{_count(hidden, 'more flagged group')} not magnified"
        right = width - _MARGIN - drawing.text_width(more, height=10)
        drawing.text(picture, more, second, right, _FLAGGED, height=10)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
