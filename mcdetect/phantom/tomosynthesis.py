"""Draw tomosynthesis whose truth is known: tissue in layers, a sweep of projections, slices made of them.

Every projection shows the breast from another angle, along the rows, with its own noise. A slice is the mean
of all projections, each shifted so that one plane falls into register, sharpened along the sweep as filtered
back-projection does. What lies in another plane is smeared along the rows, or, where the angles lie far
apart, split into ghosts; dense bodies get dark shadows along the rows. Noise in neighbouring slices is
alike, since it comes from the same projections.

A calcification's signal-to-noise ratio is defined as in `mcdetect.phantom.insertion`, in the slice in which
it is sharpest: the response of the matched filter to what that slice shows of it, over the spread of the
same filter in the slice about it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.image.volume import Volume
from mcdetect.phantom.anatomy import Tissue, breast_attenuation, roll_off_mm
from mcdetect.phantom.breast_outline import compressed_thickness_mm, draw_outline, skin_path_mm
from mcdetect.phantom.calcifications import CalcificationStamp, spacing_pair_mm
from mcdetect.phantom.exposure import Acquisition, blur_mm, expected_quanta, heel_effect, record
from mcdetect.phantom.frame import cluster_table
from mcdetect.phantom.insertion import (
    CalcificationSpec,
    amplitude_for_snr,
    draw_specs,
    overlap,
    truth_table,
)
from mcdetect.phantom.placement import Group, Scatter, place_calcifications

__all__ = ["PhantomTomosynthesis", "Sweep", "draw_tomosynthesis"]

_Array = npt.NDArray[np.float32]

# Judged: what drawn slices look like.
_EDGE_MM = 4.0  # from the top and the bottom of the breast within which no calcification lies
_FLATNESS = 0.6  # depth of a group over its extent in the plane
_LAYER_MM = 5.0  # thickness of a layer of tissue of its own
_THICKNESS_GIVEN_BACK = 0.8  # of what the periphery lacks in attenuation


@dataclass(frozen=True)
class Sweep:
    """How the tube moves, and how slices are made.

    Parameters
    ----------
    projections : int
        Number of projections, evenly spread over the angles.
    half_angle_deg : float
        Angle of the outermost ones, in degrees.
    sharpening : float
        Height of the high-pass along the sweep that is added, over the image.
    sharpening_mm : float
        Sigma, in mm, of the blur that it takes off.
    """

    projections: int = 15
    half_angle_deg: float = 7.5
    sharpening: float = 1.0
    sharpening_mm: float = 1.5

    def __post_init__(self) -> None:
        if self.projections < 2 or not 0 < self.half_angle_deg < 60:
            raise ValueError("a sweep has at least two projections, within 60 degrees to either side")

    @property
    def tangents(self) -> npt.NDArray[np.float64]:
        """How far, in mm, a projection displaces what lies a millimetre higher."""
        angles = np.linspace(-self.half_angle_deg, self.half_angle_deg, self.projections)
        tangents: npt.NDArray[np.float64] = np.tan(np.radians(angles))
        return tangents


@dataclass(frozen=True)
class PhantomTomosynthesis:
    """Drawn tomosynthesis and its truth; a slice is made when it is asked for.

    Parameters
    ----------
    projections : (projections, rows, cols) float32 array
        Attenuation with noise, from each angle.
    sweep : Sweep
    spacing : PixelSpacing
    slice_spacing_mm : float
    slices : int
        Number of slices; the first is nearest to the tube.
    missing : (rows, cols) float32 array
        Attenuation given back where the breast is thin.
    fade : (rows, cols) float32 array
        0 in air, 1 in the breast.
    window : (float, float)
        Attenuation drawn black and white.
    truth : DataFrame
        Columns `mcdetect.phantom.insertion.TRUTH_COLUMNS` and `slice` (from 0), `depth_mm`.
    clusters : DataFrame
        One row per group, as of `PhantomMammogram`.
    breast : (rows, cols) bool array
    view, laterality : str
    bits, seed : int
    """

    projections: _Array = field(repr=False)
    sweep: Sweep
    spacing: PixelSpacing
    slice_spacing_mm: float
    slices: int
    missing: _Array = field(repr=False)
    fade: _Array = field(repr=False)
    window: tuple[float, float]
    truth: pd.DataFrame = field(repr=False)
    clusters: pd.DataFrame = field(repr=False)
    breast: npt.NDArray[np.bool_] = field(repr=False)
    view: str
    laterality: str
    bits: int
    seed: int

    def slice(self, index: int) -> npt.NDArray[np.uint16]:
        """Return a slice as stored values, dense bright."""
        if not 0 <= index < self.slices:
            raise IndexError(f"slice {index} of {self.slices}")
        pair = self.spacing.row_mm, self.spacing.col_mm
        height = (self.slices - 1 - index) * self.slice_spacing_mm
        density = _focused(self.projections, height, self.sweep, pair) + self.missing
        low, high = self.window
        share = (density - np.float32(low)) / np.float32(high - low)
        curve = np.float32(1) / (np.float32(1) + np.exp(np.float32(-4.2) * (share - np.float32(0.58))))
        return _stored(curve * self.fade * np.float32(0.98 * (2**self.bits - 1)), self.bits)

    def projection(self, index: int) -> npt.NDArray[np.uint16]:
        """Return a projection as a detector records it: linear in exposure, air bright."""
        exposure = np.exp(-self.projections[index])
        return _stored(exposure * np.float32(0.9 * (2**14 - 1)), 14)

    def to_volume(self) -> Volume:
        """Return the slices as the detector takes them."""
        return Volume(
            shape=self.breast.shape,
            spacing=self.spacing,
            frames=tuple(range(self.slices)),
            depth_mm=tuple(k * self.slice_spacing_mm for k in range(self.slices)),
            read=self.slice,
            grey=np.arange(65536, dtype=np.float32),
            half_angle_deg=self.sweep.half_angle_deg,
            laterality=self.laterality,
            view=self.view,
        )


def draw_tomosynthesis(
    shape: tuple[int, int] = (1200, 900),
    pixel_spacing_mm: float | tuple[float, float] = 0.1,
    *,
    seed: int,
    slices: int = 40,
    slice_spacing_mm: float = 1.0,
    view: str = "CC",
    laterality: str = "L",
    groups: Sequence[Group] = (),
    scatter: Scatter | None = None,
    sweep: Sweep | None = None,
    tissue: Tissue | None = None,
    acquisition: Acquisition | None = None,
    layers: int | None = None,
    bits: int = 12,
) -> PhantomTomosynthesis:
    """Draw tomosynthesis whose truth is known.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of a slice.
    pixel_spacing_mm : float or (float, float)
        Pixel spacing in mm, (row, column).
    seed : int
        The same seed and arguments give the same slices.
    slices : int
        Number of slices.
    slice_spacing_mm : float
        Distance between them in mm; the breast is as thick as all of them.
    view : {"CC", "MLO"}
    laterality : {"L", "R"}
    groups : sequence of Group
        Their depth is random, and their members spread over some depth.
    scatter : Scatter, optional
        Single calcifications, at random depths.
    sweep : Sweep, optional
    tissue : Tissue, optional
    acquisition : Acquisition, optional
        Of all projections together.
    layers : int, optional
        Layers of tissue of their own, evenly spread in depth; by default one for each 5 mm.
    bits : int
        Bits stored.
    """
    if laterality not in ("L", "R"):
        raise ValueError(f"laterality must be 'L' or 'R', got {laterality!r}")
    if slices < 2 or not slice_spacing_mm > 0 or (layers is not None and layers < 1):
        raise ValueError("tomosynthesis needs at least two slices, a positive distance and one layer")
    pair = spacing_pair_mm(pixel_spacing_mm)
    tomography, matter = sweep or Sweep(), tissue or Tissue()
    thick_mm = slices * slice_spacing_mm
    taking = dataclasses.replace(acquisition or Acquisition(), thickness_mm=thick_mm)
    children = np.random.SeedSequence(seed).spawn(6)
    streams = [np.random.default_rng(child) for child in children]
    outline = draw_outline(shape, pair, view, streams[0])
    breast = outline.depth_mm > 0
    thickness = compressed_thickness_mm(outline.depth_mm, thick_mm, roll_off_mm(outline, taking))

    specs = place_calcifications(outline, pair, groups, scatter, streams[1])
    top_mm = (slices - 1) * slice_spacing_mm
    depth = _depths(specs, groups, top_mm, streams[2])
    stamps = draw_specs(specs, pair, blur=taking.blur, rng=streams[3])

    tangents = tomography.tangents
    projections = np.zeros((len(tangents), *shape), np.float32)
    # Fat and skin are alike at all depths, so every angle smears them by the whole thickness.
    even = thickness * np.float32(taking.fat_per_mm)
    skin = skin_path_mm(outline.depth_mm, thick_mm, roll_off_mm(outline, taking), min(matter.skin_mm, 2.0))
    even += np.float32(taking.gland_per_mm - taking.fat_per_mm) * skin
    for k, tangent in enumerate(tangents):
        length = max(1, round(abs(tangent) * thick_mm / pair[0]))
        smeared = cv2.blur(even, (1, length), borderType=cv2.BORDER_REPLICATE)
        projections[k] += _shifted(np.asarray(smeared), 0.5 * top_mm * tangent / pair[0])
    count = layers or max(1, round(thick_mm / _LAYER_MM))
    for layer in range(count):
        own = [streams[0], *np.random.default_rng([seed, layer]).spawn(3)]
        part = breast_attenuation(
            outline, thickness / np.float32(count), pair, _share(matter, count), taking, own
        )
        part -= thickness * np.float32(taking.fat_per_mm / count)
        height = (count - 0.5 - layer) / count * top_mm
        for k, tangent in enumerate(tangents):
            projections[k] += _shifted(part, height * tangent / pair[0])
    dose = dataclasses.replace(taking, quanta_per_mm2=taking.quanta_per_mm2 / len(tangents))
    field_ = heel_effect(shape, dose)
    air = dose.quanta_per_mm2 * pair[0] * pair[1]
    for k in range(len(tangents)):
        quanta = record(expected_quanta(projections[k], pair, dose, field_), pair, dose, streams[4])
        projections[k] = -np.log(np.maximum(quanta / field_, 1.0) / np.float32(air))

    nearest = np.clip(np.rint(depth / slice_spacing_mm), 0, slices - 1).astype(np.int64)
    units = []
    for spec, stamp, own_mm, index in zip(specs, stamps, depth, nearest, strict=True):
        height = top_mm - index * slice_spacing_mm
        seen = _seen(stamp, top_mm - own_mm, height, tomography, pair)
        units.append(_unit(projections, spec, seen, height, tomography, pair, breast))
    contrasts = [
        float(spec.contrast) if spec.contrast is not None else float(spec.snr or 0.0) * unit
        for spec, unit in zip(specs, units, strict=True)
    ]
    for spec, stamp, own_mm, contrast in zip(specs, stamps, depth, contrasts, strict=True):
        for k, tangent in enumerate(tangents):
            _stamp(projections[k], spec, stamp, (top_mm - own_mm) * tangent / pair[0], contrast)

    truth = truth_table(specs, stamps, contrasts, units, [False] * len(specs))
    truth["slice"], truth["depth_mm"] = nearest, depth
    missing = (np.float32(thick_mm) - thickness) * np.float32(_THICKNESS_GIVEN_BACK * taking.fat_per_mm)
    missing = blur_mm(missing, pair, 1.0)
    middle = _focused(projections, 0.5 * top_mm, tomography, pair) + missing
    inner = outline.depth_mm > min(3.0, 0.3 * float(outline.depth_mm.max()))
    low, high = np.quantile(middle[inner][::7], (0.02, 0.995))
    fade = np.clip((outline.depth_mm + np.float32(0.4)) / np.float32(0.8), 0, 1).astype(np.float32)
    if laterality == "R":
        projections = projections[:, :, ::-1]
        missing, fade, breast = (np.ascontiguousarray(a[:, ::-1]) for a in (missing, fade, breast))
        truth["col_px"] = shape[1] - 1 - truth["col_px"]
    return PhantomTomosynthesis(
        projections=np.ascontiguousarray(projections),
        sweep=tomography,
        spacing=PixelSpacing(*pair, source="phantom", plane=Plane.OBJECT),
        slice_spacing_mm=slice_spacing_mm,
        slices=slices,
        missing=missing,
        fade=fade,
        window=(float(low), float(max(high, low + 1e-3))),
        truth=truth,
        clusters=cluster_table(truth),
        breast=breast,
        view=view,
        laterality=laterality,
        bits=bits,
        seed=seed,
    )


def _stored(values: _Array, bits: int) -> npt.NDArray[np.uint16]:
    return np.asarray(np.clip(np.rint(values), 0, 2**bits - 1), dtype=np.uint16)


def _share(matter: Tissue, layers: int) -> Tissue:
    """Return the tissue of one layer: its lines, and the texture that adds up to that of the whole."""
    return dataclasses.replace(
        matter,
        texture=matter.texture * math.sqrt(layers),
        vessels=math.ceil(matter.vessels / layers),
        ducts=math.ceil(matter.ducts / layers),
        ligaments=math.ceil(matter.ligaments / layers),
        skin_mm=0.0,
    )


def _depths(
    specs: Sequence[CalcificationSpec], groups: Sequence[Group], top_mm: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw the depth of each calcification; members of a group lie together."""
    edge = min(_EDGE_MM, 0.2 * top_mm)
    centre = rng.uniform(edge, top_mm - edge, len(groups) + 1)
    depth = np.empty(len(specs))
    for k, spec in enumerate(specs):
        if spec.group_id > 0:
            half = 0.5 * _FLATNESS * groups[spec.group_id - 1].extent_mm
            depth[k] = centre[spec.group_id] + rng.uniform(-half, half)
        else:
            depth[k] = rng.uniform(edge, top_mm - edge)
    return np.clip(depth, 0.25 * edge, top_mm - 0.25 * edge)


def _shifted(image: _Array, rows: float) -> _Array:
    """Move an image down by a number of rows, linear between them; the edge is repeated."""
    whole = math.floor(rows)
    part = np.float32(rows - whole)
    place = np.arange(image.shape[0]) - whole
    first = image[np.clip(place, 0, image.shape[0] - 1)]
    second = image[np.clip(place - 1, 0, image.shape[0] - 1)]
    return np.asarray(first * (np.float32(1) - part) + second * part, dtype=np.float32)


def _sharpened(image: _Array, sweep: Sweep, pair: tuple[float, float]) -> _Array:
    """Add the high-pass along the rows."""
    sigma = sweep.sharpening_mm / pair[0]
    size = 2 * math.ceil(3 * sigma) + 1
    low = cv2.GaussianBlur(image, (1, size), sigmaX=1e-3, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(image + np.float32(sweep.sharpening) * (image - low), dtype=np.float32)


def _focused(projections: _Array, height_mm: float, sweep: Sweep, pair: tuple[float, float]) -> _Array:
    """Return the plane at a height: all projections in register there, averaged and sharpened."""
    total = np.zeros(projections.shape[1:], np.float32)
    for projection, tangent in zip(projections, sweep.tangents, strict=True):
        total += _shifted(projection, -height_mm * float(tangent) / pair[0])
    return _sharpened(total / np.float32(len(projections)), sweep, pair)


def _seen(
    stamp: CalcificationStamp,
    own_mm: float,
    height_mm: float,
    sweep: Sweep,
    pair: tuple[float, float],
) -> CalcificationStamp:
    """Return a calcification at a height as the plane at another height shows it.

    It is moved between pixels twice, into the projection and back into register, as in the slices
    themselves: both soften it.
    """
    most = abs(own_mm - height_mm) * float(sweep.tangents.max()) / pair[0]
    margin = math.ceil(3 * sweep.sharpening_mm / pair[0] + most) + 2
    padded = np.pad(stamp.values, ((margin, margin), (0, 0)))
    mean = np.zeros_like(padded)
    for tangent in sweep.tangents:
        down = own_mm * float(tangent) / pair[0]
        whole = math.floor(down)
        taken = _shifted(padded, down - whole)
        mean += _shifted(taken, whole - height_mm * float(tangent) / pair[0]) / np.float32(sweep.projections)
    return dataclasses.replace(stamp, values=_sharpened(mean, sweep, pair))


def _unit(
    projections: _Array,
    spec: CalcificationSpec,
    seen: CalcificationStamp,
    height_mm: float,
    sweep: Sweep,
    pair: tuple[float, float],
    breast: npt.NDArray[np.bool_],
) -> float:
    """Return the attenuation of SNR 1 in the slice at a height, made around the site only."""
    reach = math.ceil((12.0 + height_mm * float(sweep.tangents.max())) / pair[0])
    first, last = max(0, round(spec.row_px) - reach), min(breast.shape[0], round(spec.row_px) + reach + 1)
    side = math.ceil(6.0 / pair[1])
    left, right = max(0, round(spec.col_px) - side), min(breast.shape[1], round(spec.col_px) + side + 1)
    part = _focused(np.ascontiguousarray(projections[:, first:last, left:right]), height_mm, sweep, pair)
    place = spec.row_px - first, spec.col_px - left
    return amplitude_for_snr(part, pair, *place, seen, mask=breast[first:last, left:right])


def _stamp(
    image: _Array, spec: CalcificationSpec, stamp: CalcificationStamp, down: float, contrast: float
) -> None:
    """Add a calcification to a projection, a number of rows below its place."""
    whole = math.floor(down)
    half = stamp.values.shape[0] // 2 + 2
    if not -half < spec.row_px + whole < image.shape[0] + half:
        return  # this angle shows it beside the detector
    values = np.pad(stamp.values, ((1, 1), (0, 0)))
    moved = dataclasses.replace(stamp, values=_shifted(values, down - whole))
    target, part = overlap(image.shape, dataclasses.replace(spec, row_px=spec.row_px + whole), moved)
    image[target] += np.float32(contrast) * moved.values[part]
