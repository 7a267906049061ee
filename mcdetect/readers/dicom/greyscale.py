"""From stored values to grey levels in which calcifications are bright."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from mcdetect.image.mammogram import Intent
from mcdetect.readers.air_edge import BreastShare
from mcdetect.readers.dicom.decode import StoredPixels
from mcdetect.readers.dicom.tags import integer, items, number, numbers, text
from mcdetect.readers.grey import check_content, saturation_level
from mcdetect.readers.polarity import Polarity, PolaritySource, judge_polarity

__all__ = ["GreyScale", "to_grey_scale"]

# Physics: a breast lets a few per cent of mammography's x-rays through. The bound is judged.
_LINEAR_RATIO = 0.5
"""Signal behind the breast over that of air; a breast lets far less than this through."""


@dataclass(frozen=True)
class GreyScale:
    """Grey levels monotonic in attenuation, and how they came about.

    Parameters
    ----------
    pixels : (rows, cols) float32 array
    valid : (rows, cols) bool array or None
    zero_exposure_level, saturation_level : float or None
        As in `mcdetect.Mammogram`.
    display_window : (float, float) or None
        Black and white level, in units of `pixels`.
    air_side : str
        Side of the image that is air, opposite to the chest wall; empty when that is not seen.
    breast : BreastShare or None
        How much of the image the breast covers, where that is seen.
    polarity : PolaritySource
        Why calcifications are taken to be bright.
    steps : tuple of str
        What was done, in order.
    flags : tuple of str
        Remarks.
    """

    pixels: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_] | None
    zero_exposure_level: float | None
    saturation_level: float | None
    display_window: tuple[float, float] | None
    air_side: str
    breast: BreastShare | None
    polarity: PolaritySource
    steps: tuple[str, ...]
    flags: tuple[str, ...]


def to_grey_scale(header: Dataset, stored: StoredPixels, intent: Intent) -> GreyScale:
    """Convert stored values to float32 grey levels, calcification bright.

    Padding is masked on the stored values; then follows the modality transformation; then the
    inversion, about the range of the stored bits and never about the image's own maximum, where
    bright means few x-rays in the header's terms. VOI windows are kept for pictures only. No
    logarithm is taken: linear raw images stay linear, so that their noise can be modelled.

    Parameters
    ----------
    header : Dataset
        The image's attributes.
    stored : StoredPixels
        One decoded frame.
    intent : Intent
        What the grey levels were made for.

    Raises
    ------
    UnusableImageError
        If the image is blank, a mask, or all padding.

    Notes
    -----
    DICOM PS3.3, C.7.5.1.1.2 (padding), C.11.1 (modality LUT), C.7.6.3.1.2 (photometric
    interpretation), C.8.11.3 (pixel intensity relationship), C.11.2 (VOI).
    """
    steps = list(stored.steps)
    flags: list[str] = []
    valid = _padding_mask(header, stored, steps)
    check_content(stored.values, valid)
    pixels, low, high = _modality(header, stored, steps, flags)
    inverted, relationship = _direction(header, intent, steps, flags)

    linear = relationship == "LIN"
    stated = bool(text(header, "PhotometricInterpretation")) or intent is Intent.FOR_PROCESSING
    seen = _see_air(pixels, valid, low, high, inverted, linear)
    source, air = seen.source(stated), seen.air
    if remark := seen.remark(stated):
        flags.append(remark)
    if seen.brighter:
        inverted = not inverted
        air = _see_air(pixels, valid, low, high, inverted, linear).air
        steps.append("inverted again, since air was brighter than the breast")
    if linear and air is not None and math.exp(air.air - air.breast) > _LINEAR_RATIO:
        linear = False
        flags.append("FOR PROCESSING, but the grey levels are not linear in exposure")
        steps.append("not treated as linear raw")
    if inverted:
        np.subtract(np.float32(low + high), pixels, out=pixels)
    if valid is not None:
        pixels[~valid] = pixels[valid].min()
    zero_level = None
    if linear:
        # The signal is the stored value itself, or what is missing to the top of the scale.
        zero_level = float(low + high if inverted else high)
        steps.append(f"linear raw, signal zero at {zero_level:g}")
    window = None if intent is Intent.FOR_PROCESSING else _window(header, low + high, inverted, flags)
    return GreyScale(
        pixels,
        valid,
        zero_level,
        saturation_level(pixels, valid),
        window,
        seen.side,
        seen.breast,
        source,
        tuple(steps),
        tuple(flags),
    )


def _padding_mask(header: Dataset, stored: StoredPixels, steps: list[str]) -> npt.NDArray[np.bool_] | None:
    first = integer(header, "PixelPaddingValue")
    if stored.padding is not None:
        steps.append(f"padding {first} masked ({np.mean(stored.padding):.1%})")
        return ~stored.padding
    if first is None:
        return None
    second = integer(header, "PixelPaddingRangeLimit")
    ends = [_as_stored(value, stored) for value in (first, first if second is None else second)]
    low, high = min(ends), max(ends)
    values = stored.values
    padded = values == low if low == high else (values >= low) & (values <= high)
    share = np.count_nonzero(padded) / padded.size
    if share == 0.0:
        return None
    steps.append(f"padding {low}{'' if low == high else f' to {high}'} masked ({share:.1%})")
    return ~padded


def _as_stored(value: int, stored: StoredPixels) -> int:
    """Return a padding value as the stored type holds it; some writers get its sign wrong."""
    low, high = stored.limits
    if low <= value <= high:
        return value
    span = high - low + 1
    return (value - low) % span + low if -span < value <= 2 * span else value


def _modality(
    header: Dataset, stored: StoredPixels, steps: list[str], flags: list[str]
) -> tuple[npt.NDArray[np.float32], float, float]:
    """Apply the modality LUT or the rescale; return pixels and the range they could have."""
    for item in items(header, "ModalityLUTSequence"):
        table = _lookup_table(item)
        if table is None:
            flags.append("damaged modality LUT ignored")
            break
        first, entries = table
        index = np.clip(stored.values.astype(np.int32) - first, 0, len(entries) - 1)
        steps.append(f"modality LUT of {len(entries)} entries")
        return entries[index], float(entries.min()), float(entries.max())
    low, high = stored.limits
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if slope == 0.0 or (slope is None and numbers(header, "RescaleSlope")):
        flags.append("impossible Rescale Slope ignored")
        slope, intercept = None, None
    pixels = stored.values.astype(np.float32)
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if (slope, intercept) == (1.0, 0.0):
        return pixels, float(low), float(high)
    steps.append(f"rescaled by {slope:g} and {intercept:g}")
    pixels *= np.float32(slope)
    pixels += np.float32(intercept)
    ends = sorted((slope * low + intercept, slope * high + intercept))
    return pixels, ends[0], ends[1]


def _lookup_table(item: Dataset) -> tuple[int, npt.NDArray[np.float32]] | None:
    descriptor = numbers(item, "LUTDescriptor")
    if len(descriptor) != 3 or not all(math.isfinite(value) for value in descriptor):
        return None
    count, first = int(descriptor[0]) or 65536, int(descriptor[1])
    data: Any = item.get("LUTData")
    if isinstance(data, bytes):
        kind = "<u1" if len(data) in (count, count + 1) and count > 1 else "<u2"
        data = np.frombuffer(data[: len(data) // 2 * 2] if kind == "<u2" else data, kind)
    entries = np.asarray(data if data is not None else [], dtype=np.float32).ravel()
    if not 0 < count <= len(entries):
        return None
    return first, entries[:count]


def _direction(header: Dataset, intent: Intent, steps: list[str], flags: list[str]) -> tuple[bool, str]:
    """Return whether to invert, and the relationship to exposure ("LIN", "LOG", ...)."""
    photometric = text(header, "PhotometricInterpretation")
    monochrome1 = photometric == "MONOCHROME1"
    holder = _intensity_holder(header)
    relationship = text(holder, "PixelIntensityRelationship")
    sign = integer(holder, "PixelIntensityRelationshipSign")
    if intent is not Intent.FOR_PROCESSING:
        if monochrome1:
            steps.append("MONOCHROME1: inverted about the range of the stored bits")
        return monochrome1, ""
    if relationship not in ("LIN", "LOG"):
        # Computed radiography reads plates out logarithmically; detectors are linear.
        assumed = "LOG" if text(header, "Modality") == "CR" or relationship else "LIN"
        steps.append(f"Pixel Intensity Relationship {relationship or 'missing'}: taken as {assumed}")
        relationship = assumed
    if sign in (1, -1):
        inverted = sign == 1
        steps.append(f"{relationship}, sign {sign:+d}: {'inverted' if inverted else 'already bright'}")
    else:
        inverted = monochrome1
        steps.append(f"{relationship}, {photometric}: {'inverted' if inverted else 'already bright'}")
    if text(header, "RescaleType") == "OD":
        relationship = "LOG"
        flags.append("optical densities: not treated as linear raw")
    return inverted, relationship


def _intensity_holder(header: Dataset) -> Dataset:
    """Return what holds the Pixel Intensity Relationship: the header, or the properties of frames."""
    if text(header, "PixelIntensityRelationship"):
        return header
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in items(header, keyword):
            for properties in items(group, "FramePixelDataPropertiesSequence"):
                if text(properties, "PixelIntensityRelationship"):
                    return properties
            break  # the first frame's stand for all
    return header


def _see_air(
    pixels: npt.NDArray[np.float32],
    valid: npt.NDArray[np.bool_] | None,
    low: float,
    high: float,
    inverted: bool,
    linear: bool,
) -> Polarity:
    """Look for air in a thinned, dense-bright copy; in minus the logarithm of linear raw signals."""
    step = max(1, max(pixels.shape) // 1024)
    thin = pixels[::step, ::step]
    if linear:
        signal = thin if inverted else np.float32(high) - thin
        thin = -np.log(np.maximum(signal, np.float32(1e-3 * (high - low))))
    elif inverted:
        thin = -thin
    return judge_polarity(thin, None if valid is None else valid[::step, ::step])


def _window(header: Dataset, flip: float, inverted: bool, flags: list[str]) -> tuple[float, float] | None:
    """Return black and white level of the first usable VOI window, in units of the final pixels.

    Of SIGMOID windows the tangent at the centre is taken, which spans the same width.
    """
    centres, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if not centres or not widths:
        return None
    centre, width = centres[0], widths[0]
    function = text(header, "VOILUTFunction") or "LINEAR"
    if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
        flags.append("impossible VOI window ignored")
        return None
    if function == "LINEAR":
        if width < 1:
            flags.append("impossible VOI window ignored")
            return None
        black = centre - 0.5 - (width - 1.0) / 2.0
        white = max(centre - 0.5 + (width - 1.0) / 2.0, black + 1.0)
    elif function in ("LINEAR_EXACT", "SIGMOID"):
        black, white = centre - width / 2.0, centre + width / 2.0
    else:
        flags.append("unknown VOI LUT function ignored")
        return None
    return (flip - white, flip - black) if inverted else (black, white)
