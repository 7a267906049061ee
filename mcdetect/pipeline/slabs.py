"""The slab of each flagged group of a stack of slices, for its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mcdetect.image.slab import Slab
from mcdetect.image.volume import Volume
from mcdetect.pictures.drawing import MOST_PANELS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cut_slabs"]

_MARGIN_MM = 9.0  # Technical: more than pictures show about a group


def cut_slabs(volume: Volume, calcifications: pd.DataFrame, clusters: pd.DataFrame) -> dict[int, Slab]:
    """Read again the slices that hold members of flagged groups, and keep the parts about them.

    Parameters
    ----------
    volume : Volume
    calcifications, clusters : DataFrame
        Tables of its result.

    Returns
    -------
    dict of int to Slab
        By number of the group; for as many groups as a picture magnifies, the first ones.
    """
    depth_of = {frame: place for place, frame in enumerate(volume.frames)}
    wanted: dict[int, tuple[int, int, tuple[slice, slice]]] = {}
    for _, cluster in clusters[clusters["flagged"]].head(MOST_PANELS).iterrows():
        members = calcifications[calcifications["cluster_id"] == cluster["cluster_id"]]
        places = [depth_of[int(frame)] for frame in members["slice"]]
        part = tuple(
            slice(
                max(0, int(cluster[f"min_{axis}_px"] - margin)), int(cluster[f"max_{axis}_px"] + margin) + 1
            )
            for axis, margin in (
                ("row", _MARGIN_MM / volume.spacing.row_mm),
                ("col", _MARGIN_MM / volume.spacing.col_mm),
            )
        )
        wanted[int(cluster["cluster_id"])] = min(places), max(places), (part[0], part[1])
    brighter = np.maximum if volume.rising else np.minimum
    brightest: dict[int, npt.NDArray[Any]] = {}
    for place in sorted({k for first, last, _ in wanted.values() for k in range(first, last + 1)}):
        values = volume.stored(place)
        for number, (first, last, part) in wanted.items():
            if first <= place <= last:
                here = values[part]
                brightest[number] = brighter(brightest[number], here) if number in brightest else here.copy()
    return {
        number: Slab(
            volume.part(brightest[number], part),
            (part[0].start, part[1].start),
            *sorted((volume.frames[first], volume.frames[last])),
        )
        for number, (first, last, part) in wanted.items()
    }
