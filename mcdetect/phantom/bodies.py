"""Insert large bodies into a background: rods, popcorn, rims, plates, tram tracks and clips, with outlines.

A body is so many mm of calcium: its height in the image is its path along the beam, blurred by the system,
times the contrast of 1 mm. That contrast is given by the signal-to-noise ratio (`mcdetect.phantom.insertion`)
which a round grain of `GRAIN_MM` of the same calcium would have at that place: a body stands in the image as
specks beside it would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.phantom.body_forms import BENIGN_KIND, BodyForm, body_pieces
from mcdetect.phantom.calcifications import SystemBlur, aperture_weights, draw_calcification, spacing_pair_mm
from mcdetect.phantom.insertion import amplitude_for_snr

__all__ = [
    "BODY_COLUMNS",
    "GRAIN_MM",
    "BodySpec",
    "BodyStamp",
    "InsertedBodies",
    "draw_body",
    "insert_bodies",
    "random_body",
]

_Floats = npt.NDArray[np.float64]

GRAIN_MM = 0.3  # Judged: diameter of the grain whose SNR says how dense the calcium is; a usual one

# Technical: grid before blur and pixels. Bodies are large: it may be coarser than that of specks.
_FINE_STEP_MM = 0.02
_LEAST_OVERSAMPLING = 3

# Judged: ranges in mm, after the descriptions in the BI-RADS Atlas, 5th edition, and textbooks.
_SIZE_MM = {
    BodyForm.ROD: (1.0, 10.0),
    BodyForm.POPCORN: (1.0, 10.0),
    BodyForm.RIM: (1.0, 10.0),
    BodyForm.DYSTROPHIC: (1.0, 5.0),
    BodyForm.TRAM_TRACK: (20.0, 60.0),
    BodyForm.CLIP: (2.5, 3.5),
}
_WIDTH_MM = {
    BodyForm.ROD: (0.5, 1.5),
    BodyForm.POPCORN: (1.0, 10.0),
    BodyForm.RIM: (0.2, 1.0),
    BodyForm.DYSTROPHIC: (1.0, 5.0),
    BodyForm.TRAM_TRACK: (1.0, 4.0),
    BodyForm.CLIP: (0.4, 0.6),
}
_THICKNESS_MM = {
    BodyForm.ROD: (0.3, 0.9),
    BodyForm.POPCORN: (0.4, 1.5),
    BodyForm.RIM: (0.3, 1.2),
    BodyForm.DYSTROPHIC: (0.3, 0.9),
    BodyForm.TRAM_TRACK: (0.25, 0.6),
    BodyForm.CLIP: (8.0, 12.0),  # of calcium that lets as little through as the metal
}
_LUCENT_SHARE = {BodyForm.ROD: 0.25, BodyForm.RIM: 0.6, BodyForm.DYSTROPHIC: 0.5}
_FORKED_SHARE = 0.2  # of rods

BODY_COLUMNS: dict[str, str] = {
    "body_id": "int64",
    "form": "str",
    "kind": "str",
    "row_px": "float64",
    "col_px": "float64",
    "size_mm": "float64",
    "area_mm2": "float64",
    "diameter_mm": "float64",
    "major_axis_mm": "float64",
    "minor_axis_mm": "float64",
    "lucent": "bool",
    "forked": "bool",
    "snr": "float64",
    "peak_contrast": "float64",
    "clipped": "bool",
}
"""Columns of the truth. Position and measures are those of the area inside the outline, before blur, as the
calcifications' columns of the same names; `snr` is that of a grain of `GRAIN_MM` of the same calcium."""


@dataclass(frozen=True)
class BodySpec:
    """One large body to draw.

    Parameters
    ----------
    form : BodyForm
    row_px, col_px : float
        Its middle; 0 at the centre of the first pixel.
    size_mm : float
        Length of a rod, of the wire of a clip, and of the stretch of an artery along its course; otherwise
        the diameter of the disc that has the area inside the outline.
    width_mm : float
        Width of a rod or a wire, thickness of a rim's shell, distance between the walls of an artery; of no
        meaning for popcorn and plates.
    thickness_mm : float
        Longest path of the beam through it, in mm of calcium.
    snr : float, optional
        What a grain of `GRAIN_MM` of this calcium would have. Exactly one of `snr` and `contrast`.
    contrast : float, optional
        Contrast of 1 mm of this calcium, in the units of the image.
    orientation : float
        Radians from +col towards +row.
    lucent : bool
        Rods and plates have a lucent centre; a rim is empty inside, not only less dense.
    forked : bool
        A rod has an arm.
    seed : int
        Of what is random about its form.
    """

    form: BodyForm
    row_px: float
    col_px: float
    size_mm: float
    width_mm: float
    thickness_mm: float
    snr: float | None = None
    contrast: float | None = None
    orientation: float = 0.0
    lucent: bool = False
    forked: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.snr is None) == (self.contrast is None):
            raise ValueError("give exactly one of snr and contrast")
        for name in ("size_mm", "width_mm", "thickness_mm", "snr", "contrast"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be finite and positive, got {value}")
        if self.form in (BodyForm.ROD, BodyForm.CLIP) and self.size_mm <= self.width_mm:
            raise ValueError(f"a {self.form} of {self.size_mm} mm cannot be {self.width_mm} mm wide")

    def moved(self, rows: float, cols: float) -> BodySpec:
        """Return the same body so many pixels away."""
        return replace(self, row_px=self.row_px + rows, col_px=self.col_px + cols)


@dataclass(frozen=True)
class BodyStamp:
    """A body on the pixels of an image.

    Parameters
    ----------
    first : (int, int)
        Row and column of the image where the stamp begins; may lie outside.
    thickness : (rows, cols) float64 array
        Path of the beam in mm of calcium, blurred and averaged over each pixel.
    coverage : (rows, cols) float64 array
        Share of each pixel inside the body's outline, before blur. A lucent centre is inside.
    """

    first: tuple[int, int]
    thickness: _Floats
    coverage: _Floats

    def outlines(self) -> list[_Floats]:
        """Return the outlines, before blur, as closed polygons (n, 2) of (row, col) in image pixels."""
        from skimage.measure import find_contours

        shift = np.subtract(self.first, 1)
        return [line + shift for line in find_contours(np.pad(self.coverage, 1), 0.5)]  # type: ignore[no-untyped-call]

    def parts(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the part of an image that it covers, and the part of the stamp that lies on the image."""
        image, own = [], []
        for first, size, extent in zip(self.first, self.coverage.shape, shape, strict=True):
            start, stop = max(first, 0), max(min(first + size, extent), 0)
            image.append(slice(start, stop))
            own.append(slice(start - first, stop - first))
        return (image[0], image[1]), (own[0], own[1])


@dataclass(frozen=True)
class InsertedBodies:
    """An image with bodies, and where they are.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
    truth : DataFrame
        Columns `BODY_COLUMNS`, one row for each body, in the order in which they were given.
    stamps : tuple of BodyStamp
        With their outlines, in the same order.
    """

    pixels: npt.NDArray[np.float32]
    truth: pd.DataFrame
    stamps: tuple[BodyStamp, ...]


def random_body(
    form: BodyForm,
    rng: np.random.Generator,
    *,
    row_px: float,
    col_px: float,
    size_mm: tuple[float, float] | None = None,
    snr: tuple[float, float] = (5.0, 15.0),
) -> BodySpec:
    """Draw size, width, density and details of a body of a form.

    Parameters
    ----------
    form : BodyForm
    rng : numpy.random.Generator
    row_px, col_px : float
        Its middle.
    size_mm, snr : (float, float), optional
        Ranges, log-uniform; sizes are as the form has them when not given.
    """
    low, high = size_mm or _SIZE_MM[form]
    size = math.exp(rng.uniform(math.log(low), math.log(high)))
    width = rng.uniform(*_WIDTH_MM[form])
    if form in (BodyForm.ROD, BodyForm.RIM):  # a short rod is thin, a small rim has a thin shell
        width = min(width, size * (0.5 if form is BodyForm.ROD else 0.25))
    lucent, forked = rng.random() < _LUCENT_SHARE.get(form, 0.0), rng.random() < _FORKED_SHARE
    return BodySpec(
        form,
        row_px,
        col_px,
        size_mm=size,
        width_mm=width,
        thickness_mm=rng.uniform(*_THICKNESS_MM[form]),
        snr=math.exp(rng.uniform(*np.log(snr))),
        orientation=rng.uniform(0.0, 2 * math.pi),
        lucent=bool(lucent),
        forked=bool(forked and form is BodyForm.ROD and size > 4 * width),
        seed=int(rng.integers(2**31)),
    )


def draw_body(
    spec: BodySpec,
    spacing: PixelSpacing | float | tuple[float, float],
    *,
    blur: SystemBlur | float = 0.05,
) -> BodyStamp:
    """Draw a body as the x-ray system would record it, at its exact sub-pixel position.

    Its path along the beam is sampled on a grid of 0.02 mm or a third of a pixel, whichever is finer; the
    Gaussian blur and the pixel aperture are integrated exactly, as in `draw_calcification`.
    """
    pair = spacing_pair_mm(spacing)
    psf = blur if isinstance(blur, SystemBlur) else SystemBlur(float(blur))
    pieces = body_pieces(
        spec.form,
        spec.size_mm,
        spec.width_mm,
        spec.orientation,
        lucent=spec.lucent,
        forked=spec.forked,
        rng=np.random.default_rng(spec.seed),
    )
    middle = (spec.row_px, spec.col_px)
    boxes = [
        [
            (math.floor(at + low / pitch), math.ceil(at + high / pitch) + 1)
            for at, pitch, low, high in zip(middle, pair, piece.low_mm, piece.high_mm, strict=True)
        ]
        for piece in pieces
    ]
    reach = [math.ceil(psf.reach_mm / pitch) + 1 for pitch in pair]
    first = [min(box[k][0] for box in boxes) - reach[k] for k in (0, 1)]
    size = [max(box[k][1] for box in boxes) + reach[k] - first[k] for k in (0, 1)]
    thickness, coverage, peak = np.zeros(size), np.zeros(size), 0.0
    for piece, box in zip(pieces, boxes, strict=True):
        fine, factors = [], []
        for (start, stop), at, pitch in zip(box, middle, pair, strict=True):
            factor = max(_LEAST_OVERSAMPLING, math.ceil(pitch / _FINE_STEP_MM))
            points = start - 0.5 + (np.arange((stop - start) * factor) + 0.5) / factor
            fine.append((points - at) * pitch)
            factors.append(factor)
        path = piece.thickness(fine[0], fine[1])
        peak = max(peak, float(path.max()))
        blocks = (path > 0).reshape(-1, factors[0], fine[1].size // factors[1], factors[1])
        inner = tuple(slice(a - f, b - f) for (a, b), f in zip(box, first, strict=True))
        coverage[inner] += blocks.mean(axis=(1, 3))
        outer = tuple(slice(s.start - r, s.stop + r) for s, r in zip(inner, reach, strict=True))
        for share, sigma in psf.terms:
            weights = []
            for k in (0, 1):
                pixels = (np.arange(outer[k].start, outer[k].stop) + first[k] - middle[k]) * pair[k]
                weights.append(aperture_weights(fine[k], pixels, pair[k], sigma) / factors[k])
            thickness[outer] += share * (weights[0] @ path @ weights[1].T)
    thickness *= spec.thickness_mm / peak
    return BodyStamp((first[0], first[1]), thickness, np.minimum(coverage, 1.0))


def _measures(stamp: BodyStamp, pair: tuple[float, float]) -> dict[str, float]:
    """Return position, size and axes of the area inside the outline, in px and mm."""
    area = float(stamp.coverage.sum())
    at, spread = [], np.zeros((2, 2))
    away = []
    for k in (0, 1):
        places = np.arange(stamp.coverage.shape[k], dtype=np.float64)
        centre = float(stamp.coverage.sum(axis=1 - k) @ places) / area
        at.append(centre + stamp.first[k])
        away.append((places - centre) * pair[k])
    for i in (0, 1):
        marginal = stamp.coverage.sum(axis=1 - i)
        # Sums over pixels widen by the variance within a pixel.
        spread[i, i] = float(marginal @ away[i] ** 2) / area - pair[i] ** 2 / 12
    spread[0, 1] = spread[1, 0] = float(away[0] @ stamp.coverage @ away[1]) / area
    minor, major = np.linalg.eigvalsh(spread)
    area_mm2 = area * pair[0] * pair[1]
    return {
        "row_px": at[0],
        "col_px": at[1],
        "area_mm2": area_mm2,
        "diameter_mm": math.sqrt(4 * area_mm2 / math.pi),
        "major_axis_mm": 4 * math.sqrt(max(major, 0.0)),
        "minor_axis_mm": 4 * math.sqrt(max(minor, 0.0)),
    }


def insert_bodies(
    image: npt.NDArray[np.floating],
    spacing: PixelSpacing | float | tuple[float, float],
    specs: Sequence[BodySpec],
    *,
    rng: np.random.Generator,
    blur: SystemBlur | float = 0.05,
    mask: npt.NDArray[np.bool_] | None = None,
    limits: tuple[float, float] | None = None,
    grey_step: float | None = None,
) -> InsertedBodies:
    """Add large bodies to a background image; its noise stays as it is.

    Parameters
    ----------
    image : (rows, cols) float array
        The background, bright = dense; not modified.
    spacing : PixelSpacing, float or (float, float)
        Pixel spacing in mm, (row, column).
    specs : sequence of BodySpec
        What to insert. Each SNR refers to the background without any body.
    rng : numpy.random.Generator
        Source of the rounding; forms follow from the seeds of `specs`.
    blur, mask, limits, grey_step
        As in `insert_calcifications`; what would be brighter than `limits` is saturated.
    """
    if image.ndim != 2:
        raise ValueError(f"image must be 2-D, got shape {image.shape}")
    pair = spacing_pair_mm(spacing)
    plain = np.random.default_rng(0)  # a grain without irregularity draws nothing from it
    grain = draw_calcification(GRAIN_MM, pair, irregularity=0.0, elongation=1.0, blur=blur, rng=plain)
    out = np.array(image, dtype=np.float32)
    stamps, rows = [], []
    for number, spec in enumerate(specs, start=1):
        if not (0 <= spec.row_px <= image.shape[0] - 1 and 0 <= spec.col_px <= image.shape[1] - 1):
            raise ValueError(f"site ({spec.row_px}, {spec.col_px}) lies outside the image {image.shape}")
        unit = amplitude_for_snr(image, pair, spec.row_px, spec.col_px, grain, mask=mask, grey_step=grey_step)
        unit /= grain.peak_thickness_mm
        per_mm = spec.contrast if spec.contrast is not None else (spec.snr or 0.0) * unit
        stamp = draw_body(spec, pair, blur=blur)
        target, part = stamp.parts(out.shape)
        increment = np.asarray(per_mm * stamp.thickness[part], dtype=np.float32)
        if grey_step is not None:
            dither = rng.random(increment.shape, dtype=np.float32)
            increment = np.floor(increment / np.float32(grey_step) + dither) * np.float32(grey_step)
        new = out[target] + increment
        clipped = limits is not None and bool((new > limits[1]).any())
        out[target] = new if limits is None else np.clip(new, *limits)
        stamps.append(stamp)
        rows.append(
            {
                "body_id": number,
                "form": str(spec.form),
                "kind": BENIGN_KIND[spec.form],
                "size_mm": spec.size_mm,
                "lucent": spec.lucent,
                "forked": spec.forked,
                "snr": per_mm / unit,
                "peak_contrast": per_mm * float(stamp.thickness.max()),
                "clipped": clipped,
                **_measures(stamp, pair),
            }
        )
    columns = {
        name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in BODY_COLUMNS.items()
    }
    return InsertedBodies(out, pd.DataFrame(columns), tuple(stamps))
