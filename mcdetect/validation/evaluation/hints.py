"""What a truth table that fits badly looks like: mirrored, transposed, of another scale, doubled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from mcdetect.validation.evaluation.cases import Images, Marks, Points, Regions

__all__ = ["doubled_rows", "misfit"]

_Floats = npt.NDArray[np.float64]

# Judged: what is told must be plain, so that a poor detector is not taken for a wrong table.
_NEAR_MM = 1.0  # a mark so near a true place agrees with it
_FITS, _MISFITS = 0.5, 0.25  # share of places that agree, when the table is read anew and as it is
_LEAST = 3  # places that must agree
_BEST = 3  # marks looked at for each true place of an image, by falling score

# Technical: what is tried, and bounds on the work.
_SCALES = np.exp(np.linspace(np.log(0.05), np.log(20.0), 1200))
_NEXT = 0.04  # scales nearer to 1 than this share change nothing worth telling
_MOST = 400  # true places that are looked at


def doubled_rows(truth: pd.DataFrame) -> str:
    """Return a remark on rows of a standardised truth table that say the same twice, else ""."""
    named = [name for name in ("image", "x", "y", "x_min", "y_min", "x_max", "y_max") if name in truth]
    placed = truth[[name for name in named if name != "image"]].notna().any(axis=1)
    again = int(truth.loc[placed, named].duplicated().sum())
    if not again:
        return ""
    return (
        f"{again} of {len(truth)} rows of the truth stand there twice (same image and place): remove them, "
        "or each counts as a lesion of its own"
    )


def misfit(
    marks: Marks, points: Points, regions: Regions, images: Images, size_px: _Floats | None = None
) -> str:
    """Return what the places of a truth look like that hardly any mark agrees with, else "".

    Parameters
    ----------
    marks : Marks
    points, regions : Points, Regions
        The truth; of regions their centres are taken.
    images : Images
    size_px : (n, 2) float64 array, optional
        Rows and columns of the images, not-a-number where unknown. Without them nothing is called mirrored.
    """
    centre = 0.5 * (regions.box_mm[:, :2] + regions.box_mm[:, 2:])
    image = np.concatenate([points.image, regions.image[~regions.ignore]])
    place = np.concatenate([points.place_mm, centre[~regions.ignore]])
    if len(image) < _LEAST or not len(marks):
        return ""
    chosen = np.unique(np.linspace(0, len(image) - 1, _MOST).round().astype(np.int64))
    image, place = image[chosen], place[chosen]
    tree = _Agreement(marks, image)
    as_is = tree.share(place)
    if as_is >= _MISFITS:
        return ""
    found: list[tuple[float, str]] = []
    spacing = images.spacing_mm[image]
    pixels = place / spacing
    swapped = pixels[:, ::-1] * spacing
    found.append((tree.share(swapped), "transposed: x and y, or row and column, are exchanged"))
    if size_px is not None:
        last = size_px[image] - 1.0
        for name, turned in (
            (
                "mirrored: x is counted from the right edge",
                np.stack([pixels[:, 0], last[:, 1] - pixels[:, 1]], 1),
            ),
            (
                "upside down: y is counted from the lower edge",
                np.stack([last[:, 0] - pixels[:, 0], pixels[:, 1]], 1),
            ),
            ("turned by 180 degrees", last - pixels),
            ("turned by 90 degrees", np.stack([last[:, 0] - pixels[:, 1], pixels[:, 0]], 1)),
            ("turned by 90 degrees", np.stack([pixels[:, 1], last[:, 1] - pixels[:, 0]], 1)),
        ):
            found.append((tree.share(turned * spacing), name))
    found += [
        (tree.share(place + shift * spacing), "counted from 1, or shifted by a pixel")
        for shift in (-1.0, 1.0)
    ]
    shares = [tree.share(place * scale) if abs(scale - 1.0) > _NEXT else 0.0 for scale in _SCALES]
    best = int(np.argmax(shares))
    found.append((shares[best], _scale(float(_SCALES[best]), float(spacing.mean()))))
    share, what = max(found, key=lambda one: one[0])
    if share < _FITS or share * len(image) < _LEAST or share < 2.0 * as_is + 0.25:
        return ""
    return (
        f"the truth looks {what}; so read, {share:.0%} of its places have a mark within {_NEAR_MM:g} mm, "
        f"as it is {as_is:.0%}"
    )


def _scale(scale: float, spacing_mm: float) -> str:
    if abs(scale * spacing_mm - 1.0) < _NEXT:
        return "written in mm, not in pixels"
    return f"of another scale: its places times {scale:.3g} fit"


class _Agreement:
    """Share of places near which a mark lies: a table with many doubtful marks agrees with everything.

    Parameters
    ----------
    marks : Marks
        Of each image the best are taken, a few for each true place.
    image : (k,) int64 array
        Images of the places.
    """

    def __init__(self, marks: Marks, image: npt.NDArray[np.int64]) -> None:
        self._image = image
        self._trees: dict[int, cKDTree] = {}
        for number in np.unique(image):
            own = marks.place_mm[marks.image == number]  # by falling score
            own = own[: _BEST * int(np.count_nonzero(image == number))]
            if len(own):
                self._trees[int(number)] = cKDTree(own)

    def share(self, place: _Floats) -> float:
        """Return the share of places that have a mark within reach."""
        near = 0
        for number, tree in self._trees.items():
            at = place[self._image == number]
            at = at[np.isfinite(at).all(axis=1)]
            if len(at):
                near += int(np.count_nonzero(tree.query(at)[0] <= _NEAR_MM))
        return near / len(self._image)
