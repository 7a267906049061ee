"""The nouns: marks (places that were considered) and calcifications (those accepted, and measured)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

__all__ = ["SCALE_TO_DIAMETER", "Calcifications", "Marks"]

_Floats = npt.NDArray[np.float64]

# Standard: scale-space theory, T. Lindeberg, Int. J. Comput. Vis. 30 (1998) 79.
SCALE_TO_DIAMETER = 2.0 * math.sqrt(2.0)
"""Diameter of a disc over the Gaussian scale at which its response is strongest (scale-space theory)."""


@dataclass(frozen=True)
class Marks:
    """Places in a mammogram that were considered, by falling score. All arrays are (n,) float64.

    Parameters
    ----------
    row_px, col_px : array
        Centres, in px of the whole image, 0 at the centre of the first pixel.
    row_mm, col_mm : array
        The same in mm from there.
    snr : array
        Strongest band-pass response over its local robust spread.
    scale_mm : array
        Gaussian scale of that response, in mm.
    line : array
        Share of the contrast that a line through the place keeps on both sides.
    log_odds : array
        How much each looks like a calcification, neighbours counted; 0 at the operating point.
    own_log_odds : array
        The same by its looks alone.
    body : array
        Number of the large body that each stands for, from 1; 0 for none.
    vessel : array
        Number of the calcified artery that each belongs to, from 1; 0 for none.
    """

    row_px: _Floats
    col_px: _Floats
    row_mm: _Floats
    col_mm: _Floats
    snr: _Floats
    scale_mm: _Floats
    line: _Floats
    log_odds: _Floats
    own_log_odds: _Floats
    body: _Floats
    vessel: _Floats

    def __len__(self) -> int:
        return int(self.snr.size)

    @property
    def score(self) -> _Floats:
        """The score between 0 and 1, neighbours counted; not a probability."""
        score: _Floats = expit(self.log_odds)
        return score

    @property
    def own_score(self) -> _Floats:
        """The score between 0 and 1 by looks alone."""
        score: _Floats = expit(self.own_log_odds)
        return score

    @property
    def scale_diameter_mm(self) -> _Floats:
        """Diameter of the disc whose response is strongest at `scale_mm`, in mm."""
        return SCALE_TO_DIAMETER * self.scale_mm

    def joined(self, other: Marks) -> Marks:
        """Both, one after the other."""
        names = self.__dataclass_fields__
        return Marks(**{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names})

    def take(self, which: npt.NDArray[np.int64]) -> Marks:
        """Return some of the marks, in the order given."""
        names = Marks.__dataclass_fields__
        return Marks(**{name: getattr(self, name)[which] for name in names})


@dataclass(frozen=True)
class Calcifications:
    """Marks that were accepted, with what was measured of each. All arrays are (n,).

    Parameters
    ----------
    marks : Marks
        Where they are and how they score.
    kind : object array
        What a large body looks like: "rim", "rod", "coarse" or "object"; "skin" for a speck there; else "".
    measures : mapping of str to float64 array
        The measures of `mcdetect.schema.MEASURES`; the diameter is that of the scale where there is no
        outline.
    nearest_mm : float64 array
        Distance to the nearest other one, in mm; NaN when there is none.
    skin_distance_mm, chest_distance_mm : float64 array
        Distance to the skin line and to the chest wall, in mm.
    in_pectoral : bool array
        Lies on the pectoral muscle.
    slice, depth_mm : float64 array
        Frame of the file in which it is sharpest, and depth of that slice in mm; NaN in a plain mammogram.
    """

    marks: Marks
    kind: npt.NDArray[np.object_]
    measures: Mapping[str, _Floats]
    nearest_mm: _Floats
    skin_distance_mm: _Floats
    chest_distance_mm: _Floats
    in_pectoral: npt.NDArray[np.bool_]
    slice: _Floats
    depth_mm: _Floats

    def __len__(self) -> int:
        return len(self.marks)
