"""The attenuation of a breast: outline, glandular tissue, muscle, skin and lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcdetect.phantom.breast_outline import BreastShape, skin_path_mm
from mcdetect.phantom.exposure import Acquisition
from mcdetect.phantom.tissue import glandular_fraction, power_law_field
from mcdetect.phantom.tubes import draw_tubes_mm, duct_trees, ligaments, vessel_trees

__all__ = ["Tissue", "breast_attenuation", "roll_off_mm"]

_Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tissue:
    """What the breast is made of.

    Parameters
    ----------
    density : float
        0 for an almost fatty breast, 1 for an extremely dense one.
    exponent : float
        Exponent of the power spectrum of the texture.
    texture : float
        Standard deviation of the power-law texture, in attenuation (natural logarithm of the exposure).
    vessels, ducts : int
        Trees of each; 0 for none.
    ligaments : int
        Strands of Cooper's ligaments.
    skin_mm : float
        Thickness of the skin in mm.
    """

    density: float = 0.45
    exponent: float = 3.0
    texture: float = 0.07
    vessels: int = 7
    ducts: int = 9
    ligaments: int = 160
    skin_mm: float = 1.5


def roll_off_mm(outline: BreastShape, acquisition: Acquisition) -> float:
    """Return how far the thickness rolls off, in mm: half the thickness, or less on a small breast."""
    return max(min(0.45 * acquisition.thickness_mm, 0.6 * float(outline.depth_mm.max())), 3.0)


def breast_attenuation(
    outline: BreastShape,
    thickness: _Array,
    pair: tuple[float, float],
    matter: Tissue,
    taking: Acquisition,
    streams: Sequence[np.random.Generator],
) -> _Array:
    """Return the attenuation (mu times path) of the breast without calcifications.

    Parameters
    ----------
    outline : BreastShape
    thickness : (rows, cols) float32 array
        Thickness in mm.
    pair : (float, float)
        Pixel spacing (row, column) in mm.
    matter : Tissue
    taking : Acquisition
    streams : sequence of numpy.random.Generator
        For the glandular tissue (1), the texture (2) and the lines (3).
    """
    shape = (thickness.shape[0], thickness.shape[1])
    size = shape[0] * pair[0], shape[1] * pair[1]
    smallest = math.hypot(taking.blur.sigma_mm, math.sqrt(pair[0] * pair[1] / 12))
    fraction = glandular_fraction(outline, pair, matter.density, streams[1])
    if outline.pectoral_mm is not None:
        muscle = np.clip(outline.pectoral_mm / np.float32(2.5) + np.float32(0.5), 0, 1)
        muscle *= np.float32(0.40) - np.float32(0.14) * np.exp(-outline.pectoral_mm.clip(0) / 15)
        fraction = np.maximum(fraction * (1 - np.float32(0.6) * muscle), muscle)
    texture = power_law_field(shape, pair, streams[2], exponent=matter.exponent)
    full = thickness / np.float32(taking.thickness_mm)

    vessels = vessel_trees(matter.vessels, size, outline.nipple_mm, streams[3]) if matter.vessels else []
    ducts = duct_trees(matter.ducts, size, outline.nipple_mm, streams[3]) if matter.ducts else []
    fibres = ligaments(matter.ligaments, outline.depth_mm, pair, outline.nipple_mm, streams[3])
    # Wall, sheath and fat next to a line add to its contrast; the factors give what films show.
    strands = np.float32(3.0) * draw_tubes_mm(shape, pair, vessels, smallest_mm=smallest)
    strands += np.float32(2.0) * draw_tubes_mm(shape, pair, ducts, smallest_mm=smallest)
    strands += np.float32(4.0) * draw_tubes_mm(shape, pair, fibres, smallest_mm=smallest)
    strands *= np.clip((outline.depth_mm - np.float32(1.0)) / np.float32(2.0), 0, 1)

    contrast = np.float32(taking.gland_per_mm - taking.fat_per_mm)
    skin = skin_path_mm(
        outline.depth_mm, taking.thickness_mm, roll_off_mm(outline, taking), min(matter.skin_mm, 2.0)
    )
    attenuation = thickness * (np.float32(taking.fat_per_mm) + contrast * fraction)
    attenuation += contrast * (strands + skin)
    attenuation += np.float32(matter.texture) * texture * full * (np.float32(0.5) + fraction)
    np.maximum(attenuation, 0, out=attenuation)
    return attenuation
