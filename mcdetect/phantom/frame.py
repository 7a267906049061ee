"""Compose a whole mammogram from outline, tissue, lines, calcifications and detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.image.beam import BeamFacts
from mcdetect.image.mammogram import Intent, Mammogram, PixelSpacing, Plane
from mcdetect.phantom.anatomy import Tissue, breast_attenuation, roll_off_mm
from mcdetect.phantom.breast_outline import BreastShape, compressed_thickness_mm, draw_outline
from mcdetect.phantom.calcifications import CalcificationStamp, spacing_pair_mm
from mcdetect.phantom.deformation import Deformation, deform_image
from mcdetect.phantom.exposure import (
    Acquisition,
    expected_quanta,
    heel_effect,
    record,
    to_presentation,
    to_raw,
)
from mcdetect.phantom.film import FilmLook, add_film_defects, film_brightness
from mcdetect.phantom.insertion import (
    CalcificationSpec,
    amplitude_for_snr,
    contrasts_of,
    draw_specs,
    overlap,
    truth_table,
)
from mcdetect.phantom.marker import draw_label
from mcdetect.phantom.placement import Group, Scatter, place_calcifications

__all__ = ["PhantomMammogram", "cluster_table", "draw_mammogram"]

_Array = npt.NDArray[np.float32]
_RAW_OFFSET = 50  # Judged: stored value without exposure in raw images, as detectors add one


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
    magnification : float
        Geometric magnification; 1 for a view in contact, whose spacing is taken to be that of the breast.
    beam : BeamFacts, optional
        The geometry of an exposure from the side.
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
    magnification: float = 1.0
    beam: BeamFacts | None = None

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
            flags=("magnification view",) * (self.magnification > 1.0)
            + ("stereotactic image",) * (self.beam is not None),
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
    deformation: Deformation | None = None,
    noise_seed: int | None = None,
    left_out: Mapping[int, int] | None = None,
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
    deformation : Deformation, optional
        Draw the same breast placed a second time: tissue and calcifications are moved before they
        are exposed (out of view, perhaps), and each calcification keeps its attenuation.
    noise_seed : int, optional
        Of the quantum noise, for a second exposure of the same breast.
    left_out : mapping of int to int, optional
        For a group, counted from 1, how many of its members are placed but not drawn:
        calcifications not there yet, or no longer. The last ones are left out.

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
    children = np.random.SeedSequence(seed).spawn(8)
    streams = [np.random.default_rng(child) for child in children]

    outline = draw_outline(shape, pair, view, streams[0])
    breast = outline.depth_mm > 0
    thickness = compressed_thickness_mm(outline.depth_mm, taking.thickness_mm, roll_off_mm(outline, taking))
    attenuation = breast_attenuation(outline, thickness, pair, matter, taking, streams)
    field_ = heel_effect(shape, taking)
    quanta = expected_quanta(attenuation, pair, taking, field_)

    specs = place_calcifications(outline, pair, groups, scatter, streams[4])
    stamps = draw_specs(specs, pair, blur=taking.blur, rng=streams[5])
    own_noise = int(streams[6].integers(2**63))
    units = _contrast_of_snr_1(quanta, pair, specs, stamps, taking, breast, own_noise)
    contrasts = contrasts_of(specs, units)
    if deformation is not None:
        outline, thickness = _moved_outline(outline, thickness, pair, deformation)
        attenuation = deform_image(attenuation, pair, deformation).clip(0)
        breast = outline.depth_mm > 0
        quanta = expected_quanta(attenuation, pair, taking, field_)
        specs = _moved_specs(specs, pair, deformation)
        stamps = draw_specs(specs, pair, blur=taking.blur, rng=np.random.default_rng(children[5]))
    drawn = _drawn(specs, left_out or {}, shape)
    specs, stamps = [specs[k] for k in drawn], [stamps[k] for k in drawn]
    contrasts, units = [contrasts[k] for k in drawn], [units[k] for k in drawn]
    for spec, stamp, contrast in zip(specs, stamps, contrasts, strict=True):
        target, part = overlap(shape, spec, stamp)
        quanta[target] *= np.exp(np.float32(-contrast) * stamp.values[part])
    rng = np.random.default_rng(own_noise if noise_seed is None else noise_seed)
    recorded = record(quanta, pair, taking, rng)

    air = taking.quanta_per_mm2 * pair[0] * pair[1]
    offset = _RAW_OFFSET if intent is Intent.FOR_PROCESSING else 0
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
        clusters=cluster_table(truth),
        breast=breast,
        pectoral=pectoral,
        view=view,
        laterality=laterality,
        intent=intent,
        bits=depth_bits,
        seed=seed,
        raw_offset=offset,
    )


def _moved_outline(
    outline: BreastShape, thickness: _Array, pair: tuple[float, float], deformation: Deformation
) -> tuple[BreastShape, _Array]:
    muscle = outline.pectoral_mm
    moved = dataclasses.replace(
        outline,
        depth_mm=deform_image(outline.depth_mm, pair, deformation),
        pectoral_mm=None if muscle is None else deform_image(muscle, pair, deformation),
    )
    return moved, deform_image(thickness, pair, deformation).clip(0)


def _moved_specs(
    specs: Sequence[CalcificationSpec], pair: tuple[float, float], deformation: Deformation
) -> list[CalcificationSpec]:
    places = np.array([[spec.row_px, spec.col_px] for spec in specs], dtype=np.float64).reshape(-1, 2)
    moved = deformation.forward((places + 0.5) * pair) / pair - 0.5
    return [
        dataclasses.replace(spec, row_px=float(row), col_px=float(col))
        for spec, (row, col) in zip(specs, moved, strict=True)
    ]


def _drawn(
    specs: Sequence[CalcificationSpec], left_out: Mapping[int, int], shape: tuple[int, int]
) -> list[int]:
    """Return which calcifications are drawn: all in view but the last ones of the groups named."""
    kept: list[int] = []
    to_come = dict(left_out)
    for k in range(len(specs) - 1, -1, -1):
        group = specs[k].group_id
        if to_come.get(group, 0) > 0:
            to_come[group] -= 1
        elif 0 <= specs[k].row_px <= shape[0] - 1 and 0 <= specs[k].col_px <= shape[1] - 1:
            kept.append(k)
    return kept[::-1]


def _check(shape: tuple[int, int], laterality: str, intent: Intent, bits: int | None) -> None:
    if len(shape) != 2 or min(shape) < 64:
        raise ValueError(f"shape must be (rows, cols) of at least 64 each, got {shape}")
    if laterality not in ("L", "R"):
        raise ValueError(f"laterality must be 'L' or 'R', got {laterality!r}")
    if intent not in (Intent.FOR_PROCESSING, Intent.FOR_PRESENTATION, Intent.FILM):
        raise ValueError(f"a phantom cannot be drawn for the intent {intent}")
    if bits is not None and not 8 <= bits <= 16:
        raise ValueError(f"bits must be within 8 to 16, got {bits}")


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
    saturated = _RAW_OFFSET if intent is Intent.FOR_PROCESSING else 2**bits - 1
    under = pixels[place].astype(np.float32)
    pixels[place] = np.rint(under + letters * (np.float32(saturated) - under)).astype(np.uint16)


def cluster_table(truth: pd.DataFrame) -> pd.DataFrame:
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
