"""Compose a whole mammogram from outline, tissue, lines, calcifications and detector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.mammogram import Intent, Mammogram, PixelSpacing, Plane
from mcdetect.phantom.breast_outline import BreastShape, compressed_thickness_mm, draw_outline, skin_path_mm
from mcdetect.phantom.calcifications import CalcificationStamp, spacing_pair_mm
from mcdetect.phantom.exposure import (
    Acquisition,
    expected_quanta,
    heel_effect,
    record,
    to_presentation,
    to_raw,
)
from mcdetect.phantom.film import FilmLook, add_film_defects, film_brightness
from mcdetect.phantom.groups import GroupKind, group_positions_mm, scattered_positions_mm
from mcdetect.phantom.insertion import (
    CalcificationSpec,
    amplitude_for_snr,
    contrasts_of,
    draw_specs,
    overlap,
    random_specs,
    truth_table,
)
from mcdetect.phantom.marker import draw_label
from mcdetect.phantom.tissue import glandular_fraction, power_law_field
from mcdetect.phantom.tubes import draw_tubes_mm, duct_trees, ligaments, vessel_trees

__all__ = ["Calcifications", "Group", "PhantomMammogram", "Scatter", "Tissue", "draw_mammogram"]

_Array = npt.NDArray[np.float32]
_TRIES = 400


@dataclass(frozen=True)
class Calcifications:
    """Ranges from which calcifications are drawn.

    Parameters
    ----------
    diameter_mm : (float, float)
        Equivalent diameter in mm, log-uniform.
    snr : (float, float)
        Signal-to-noise ratio as `mcdetect.phantom.insertion` defines it, log-uniform.
    irregularity, elongation : (float, float)
        Shape, see `draw_calcification`; uniform.
    """

    diameter_mm: tuple[float, float] = (0.18, 0.5)
    snr: tuple[float, float] = (6.0, 20.0)
    irregularity: tuple[float, float] = (0.2, 0.9)
    elongation: tuple[float, float] = (1.0, 1.7)


@dataclass(frozen=True)
class Group:
    """A group of calcifications.

    Parameters
    ----------
    n : int
        Members.
    extent_mm : float
        Length of the region that holds them, in mm.
    kind : GroupKind
        Distribution.
    calcifications : Calcifications
        What its members look like.
    min_distance_mm : float
        Smallest distance between members, in mm.
    """

    n: int = 10
    extent_mm: float = 8.0
    kind: GroupKind = GroupKind.ROUND
    calcifications: Calcifications = field(default_factory=Calcifications)
    min_distance_mm: float = 0.7


@dataclass(frozen=True)
class Scatter:
    """Single calcifications, never more than `max_in_disc` of them in any disc of 1 cm2.

    Groups keep clear of them: none lies within `clearance_mm` of a group's member.
    """

    n: int = 0
    max_in_disc: int = 4
    clearance_mm: float = 13.0
    calcifications: Calcifications = field(default_factory=Calcifications)


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


@dataclass(frozen=True)
class PhantomMammogram:
    """A drawn mammogram and its truth.

    Parameters
    ----------
    pixels : (rows, cols) uint16 array
        Stored values before any photometric inversion. FOR PROCESSING: proportional to exposure
        (dense is dark); otherwise dense is bright.
    spacing : PixelSpacing
        Distance between pixel centres.
    truth : DataFrame
        One row per calcification, columns `mcdetect.phantom.insertion.TRUTH_COLUMNS`; contrast in
        attenuation (natural logarithm of the exposure).
    clusters : DataFrame
        One row per group: group_id, kind, n_calcifications, row_px, col_px (centroid) and the
        bounding box of the centres min_row_px, min_col_px, max_row_px, max_col_px.
    breast, pectoral : (rows, cols) bool arrays
        Where the breast (pectoral muscle included) and the pectoral muscle truly are.
    view, laterality : str
    intent : Intent
    bits : int
        Bits stored.
    seed : int
    raw_offset : int
        Stored value without exposure, for FOR PROCESSING.
    """

    pixels: npt.NDArray[np.uint16]
    spacing: PixelSpacing
    truth: pd.DataFrame
    clusters: pd.DataFrame
    breast: npt.NDArray[np.bool_]
    pectoral: npt.NDArray[np.bool_]
    view: str
    laterality: str
    intent: Intent
    bits: int
    seed: int
    raw_offset: int = 0

    def to_mammogram(self) -> Mammogram:
        """Return the picture as the detector takes it: dense bright."""
        values = self.pixels.astype(np.float32)
        processing = self.intent is Intent.FOR_PROCESSING
        return Mammogram(
            pixels=-values if processing else values,
            spacing=self.spacing,
            zero_exposure_level=-float(self.raw_offset) if processing else None,
            intent=self.intent,
            laterality=self.laterality,
            view=self.view,
        )


def draw_mammogram(
    shape: tuple[int, int] = (2294, 1914),
    pixel_spacing_mm: float | tuple[float, float] = 0.1,
    *,
    seed: int,
    view: str = "CC",
    laterality: str = "L",
    intent: Intent = Intent.FOR_PRESENTATION,
    groups: Sequence[Group] = (),
    scatter: Scatter | None = None,
    tissue: Tissue | None = None,
    acquisition: Acquisition | None = None,
    film: FilmLook | None = None,
    label: bool = True,
    bits: int | None = None,
) -> PhantomMammogram:
    """Draw a mammogram whose truth is known.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_spacing_mm : float or (float, float)
        Pixel spacing in mm, (row, column). The breast is scaled to the field of view.
    seed : int
        The same seed and arguments give the same picture.
    view : {"CC", "MLO"}
    laterality : {"L", "R"}
        Left breasts have their chest wall at the first column, right ones at the last.
    intent : Intent
        FOR_PROCESSING (linear), FOR_PRESENTATION (logarithm, thickness equalised) or FILM.
    groups : sequence of Group
        Placed at random in the breast, apart from each other.
    scatter : Scatter, optional
        Single calcifications.
    tissue : Tissue, optional
    acquisition : Acquisition, optional
    film : FilmLook, optional
        Only for FILM.
    label : bool
        Burn in laterality and view beside the breast.
    bits : int, optional
        Bits stored; 14 for FOR_PROCESSING, else 12.

    Returns
    -------
    PhantomMammogram
    """
    _check(shape, laterality, intent, bits)
    pair = spacing_pair_mm(pixel_spacing_mm)
    spacing = PixelSpacing(*pair, source="phantom", plane=Plane.DETECTOR)
    matter, taking = tissue or Tissue(), acquisition or Acquisition()
    depth_bits = bits or (14 if intent is Intent.FOR_PROCESSING else 12)
    # One stream for each part: a change to one leaves the others as they were.
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8)]

    outline = draw_outline(shape, pair, view, streams[0])
    breast = outline.depth_mm > 0
    thickness = compressed_thickness_mm(outline.depth_mm, taking.thickness_mm, _roll_off(outline, taking))
    attenuation = _attenuation(outline, thickness, pair, matter, taking, streams)
    field_ = heel_effect(shape, taking)
    quanta = expected_quanta(attenuation, pair, taking, field_)

    specs = _place(outline, pair, groups, scatter, streams[4])
    stamps = draw_specs(specs, pair, blur=taking.blur, rng=streams[5])
    noise_seed = streams[6].integers(2**63)
    units = _contrast_of_snr_1(quanta, pair, specs, stamps, taking, breast, int(noise_seed))
    contrasts = contrasts_of(specs, units)
    for spec, stamp, contrast in zip(specs, stamps, contrasts, strict=True):
        target, part = overlap(shape, spec, stamp)
        quanta[target] *= np.exp(np.float32(-contrast) * stamp.values[part])
    recorded = record(quanta, pair, taking, np.random.default_rng(int(noise_seed)))

    air = taking.quanta_per_mm2 * pair[0] * pair[1]
    offset = 50 if intent is Intent.FOR_PROCESSING else 0
    if intent is Intent.FOR_PROCESSING:
        pixels = to_raw(recorded, air, depth_bits, offset)
    elif intent is Intent.FOR_PRESENTATION:
        pixels = to_presentation(recorded, outline.depth_mm, thickness, pair, taking, depth_bits)
    else:
        look = film or FilmLook()
        middle = float(np.median(quanta[breast])) if breast.any() else air / 20
        bright = film_brightness(recorded, 1.15 * middle, pair, look, streams[7])
        bright = add_film_defects(bright, pair, look, streams[7])
        pixels = np.rint(bright * np.float32(2**depth_bits - 1)).astype(np.uint16)

    pectoral = np.zeros(shape, bool)
    if outline.pectoral_mm is not None:
        pectoral = (outline.pectoral_mm > 0) & breast
    truth = truth_table(specs, stamps, contrasts, units, [False] * len(specs))
    if laterality == "R":
        pixels, breast, pectoral = (np.ascontiguousarray(a[:, ::-1]) for a in (pixels, breast, pectoral))
        truth["col_px"] = shape[1] - 1 - truth["col_px"]
    if label:
        _burn_label(pixels, breast, pair, f"{laterality} {view}", laterality, intent, depth_bits)
    pixels.setflags(write=False)
    return PhantomMammogram(
        pixels=pixels,
        spacing=spacing,
        truth=truth,
        clusters=_cluster_table(truth),
        breast=breast,
        pectoral=pectoral,
        view=view,
        laterality=laterality,
        intent=intent,
        bits=depth_bits,
        seed=seed,
        raw_offset=offset,
    )


def _check(shape: tuple[int, int], laterality: str, intent: Intent, bits: int | None) -> None:
    if len(shape) != 2 or min(shape) < 64:
        raise ValueError(f"shape must be (rows, cols) of at least 64 each, got {shape}")
    if laterality not in ("L", "R"):
        raise ValueError(f"laterality must be 'L' or 'R', got {laterality!r}")
    if intent not in (Intent.FOR_PROCESSING, Intent.FOR_PRESENTATION, Intent.FILM):
        raise ValueError(f"a phantom cannot be drawn for the intent {intent}")
    if bits is not None and not 8 <= bits <= 16:
        raise ValueError(f"bits must be within 8 to 16, got {bits}")


def _roll_off(outline: BreastShape, acquisition: Acquisition) -> float:
    """Half the thickness, less for a field of view that holds only a small breast."""
    return max(min(0.45 * acquisition.thickness_mm, 0.6 * float(outline.depth_mm.max())), 3.0)


def _attenuation(
    outline: BreastShape,
    thickness: _Array,
    pair: tuple[float, float],
    matter: Tissue,
    taking: Acquisition,
    streams: list[np.random.Generator],
) -> _Array:
    """Attenuation (mu times path) of the breast without calcifications."""
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
        outline.depth_mm, taking.thickness_mm, _roll_off(outline, taking), min(matter.skin_mm, 2.0)
    )
    attenuation = thickness * (np.float32(taking.fat_per_mm) + contrast * fraction)
    attenuation += contrast * (strands + skin)
    attenuation += np.float32(matter.texture) * texture * full * (np.float32(0.5) + fraction)
    np.maximum(attenuation, 0, out=attenuation)
    return attenuation


def _place(
    outline: BreastShape,
    pair: tuple[float, float],
    groups: Sequence[Group],
    scatter: Scatter | None,
    rng: np.random.Generator,
) -> list[CalcificationSpec]:
    """Place groups and single calcifications inside the breast, off the skin and the pectoral muscle."""
    rows, cols = outline.depth_mm.shape
    size = np.array([rows * pair[0], cols * pair[1]])
    margin = min(8.0, 0.15 * float(outline.depth_mm.max()))

    def inside(row_mm: float, col_mm: float) -> bool:
        edge = 0.35 * margin
        if not (edge < row_mm < size[0] - edge and edge < col_mm < size[1] - edge):
            return False
        i, j = int(row_mm / pair[0]), int(col_mm / pair[1])
        if outline.pectoral_mm is not None and outline.pectoral_mm[i, j] > -2.0:
            return False
        return bool(outline.depth_mm[i, j] > margin)

    taken = np.empty((0, 2))
    specs: list[CalcificationSpec] = []
    for number, group in enumerate(groups, start=1):
        shape_mm = group_positions_mm(
            group.n, group.extent_mm, group.kind, rng, min_distance_mm=group.min_distance_mm
        )
        for _ in range(_TRIES):
            points = shape_mm + rng.uniform(0, 1, 2) * size
            apart = taken.size == 0 or _smallest_distance(points, taken) > 15.0
            if apart and all(inside(float(row), float(col)) for row, col in points):
                break
        else:
            raise ValueError(f"group {number} of {group.extent_mm} mm does not fit the breast")
        taken = np.concatenate([taken, points])
        specs += _specs(points, pair, group.calcifications, rng, number, str(group.kind))
    if scatter is not None and scatter.n:

        def free(row_mm: float, col_mm: float) -> bool:
            if not inside(row_mm, col_mm):
                return False
            here = np.array([[row_mm, col_mm]])
            return taken.size == 0 or _smallest_distance(here, taken) > scatter.clearance_mm

        points = scattered_positions_mm(
            scatter.n, (float(size[0]), float(size[1])), rng, max_in_disc=scatter.max_in_disc, inside=free
        )
        specs += _specs(points, pair, scatter.calcifications, rng, 0, "scattered")
    return specs


def _smallest_distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(((first[:, None] - second[None]) ** 2).sum(axis=2)).min())


def _specs(
    points_mm: npt.NDArray[np.float64],
    pair: tuple[float, float],
    ranges: Calcifications,
    rng: np.random.Generator,
    group_id: int,
    kind: str,
) -> list[CalcificationSpec]:
    return random_specs(
        points_mm / np.asarray(pair) - 0.5,
        rng,
        diameter_mm=ranges.diameter_mm,
        snr=ranges.snr,
        irregularity=ranges.irregularity,
        elongation=ranges.elongation,
        group_id=group_id,
        kind=kind,
    )


def _contrast_of_snr_1(
    quanta: _Array,
    pair: tuple[float, float],
    specs: Sequence[CalcificationSpec],
    stamps: Sequence[CalcificationStamp],
    taking: Acquisition,
    breast: npt.NDArray[np.bool_],
    noise_seed: int,
) -> list[float]:
    """Peak attenuation of SNR 1 at each site, measured on the picture without any calcification."""
    if not specs:
        return []
    clean = -np.log(np.maximum(record(quanta, pair, taking, np.random.default_rng(noise_seed)), 1.0))
    return [
        amplitude_for_snr(clean, pair, spec.row_px, spec.col_px, stamp, mask=breast)
        for spec, stamp in zip(specs, stamps, strict=True)
    ]


def _burn_label(
    pixels: npt.NDArray[np.uint16],
    breast: npt.NDArray[np.bool_],
    pair: tuple[float, float],
    text: str,
    laterality: str,
    intent: Intent,
    bits: int,
) -> None:
    """Write the label saturated into the upper corner away from the chest wall, unless breast is there."""
    rows, cols = pixels.shape
    height_mm = min(8.0, 0.05 * rows * pair[0])
    letters = draw_label(text, height_mm, pair)
    gap_row, gap_col = round(height_mm / pair[0]), round(height_mm / pair[1])
    top = 2 * gap_row
    left = cols - gap_col - letters.shape[1] if laterality == "L" else gap_col
    if left < 0 or top + letters.shape[0] > rows:
        return
    place = (slice(top, top + letters.shape[0]), slice(left, left + letters.shape[1]))
    if breast[place].any():
        return
    saturated = 0 if intent is Intent.FOR_PROCESSING else 2**bits - 1
    under = pixels[place].astype(np.float32)
    pixels[place] = np.rint(under + letters * (np.float32(saturated) - under)).astype(np.uint16)


def _cluster_table(truth: pd.DataFrame) -> pd.DataFrame:
    """One row per group of a truth table."""
    members = truth[truth["group_id"] > 0].groupby("group_id", sort=True)
    table = pd.DataFrame(
        {
            "kind": members["kind"].first(),
            "n_calcifications": members.size().astype("int64"),
            "row_px": members["row_px"].mean(),
            "col_px": members["col_px"].mean(),
            "min_row_px": members["row_px"].min(),
            "min_col_px": members["col_px"].min(),
            "max_row_px": members["row_px"].max(),
            "max_col_px": members["col_px"].max(),
        }
    )
    return table.reset_index()
