"""A stack of tomosynthesis slices, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.image.mammogram import Intent, Mammogram, Origin, PixelSpacing

__all__ = ["Volume"]


@dataclass(frozen=True)
class Volume:
    """Slices of one breast in the order of their depth, calcification bright.

    Only the slice asked for is in memory. It comes as stored integers; one table, the same for all slices,
    turns them into grey levels.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of every slice.
    spacing : PixelSpacing
        Distance between pixel centres within a slice.
    frames : tuple of int
        Frame of each slice in the file, from 0, in the order of depth.
    depth_mm : tuple of float
        Depth of each slice below the first, in mm, along the normal of the slices.
    read : callable
        Takes a frame, and returns its (rows, cols) stored integers.
    grey : (values,) float32 array
        Grey level of each stored value: monotonic in attenuation, denser is brighter.
    lowest : int
        The stored value of the first entry of `grey`; values outside are taken for the nearest in it.
    valid : (rows, cols) bool array, optional
        False on padding.
    half_angle_deg : float, optional
        How far the tube went to either side, in degrees; None when it is not known.
    intent, laterality, view, display_window, polarity_source, study, header, origin, source, flags,
    details
        As those of `Mammogram`.
    """

    shape: tuple[int, int]
    spacing: PixelSpacing
    frames: tuple[int, ...]
    depth_mm: tuple[float, ...]
    read: Callable[[int], npt.NDArray[Any]] = field(repr=False)
    grey: npt.NDArray[np.float32] = field(repr=False)
    lowest: int = 0
    valid: npt.NDArray[np.bool_] | None = field(default=None, repr=False)
    half_angle_deg: float | None = None
    intent: Intent = Intent.FOR_PRESENTATION
    laterality: str | None = None
    view: str | None = None
    display_window: tuple[float, float] | None = None
    source: str = ""
    polarity_source: str = field(default="given", kw_only=True)
    study: str = field(default="", repr=False, kw_only=True)
    header: dict[str, str | float] = field(default_factory=dict, repr=False, kw_only=True)
    origin: Origin = field(default=Origin(), repr=False, kw_only=True)
    flags: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.frames or len(self.frames) != len(self.depth_mm):
            raise ValueError("a volume needs slices, and the depth of each")
        if any(b <= a for a, b in zip(self.depth_mm, self.depth_mm[1:], strict=False)):
            raise ValueError("the slices must be in the order of their depth")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def slice_spacing_mm(self) -> float:
        """Usual distance between neighbouring slices, in mm; 1 for a single slice."""
        return float(np.median(np.diff(self.depth_mm))) if len(self) > 1 else 1.0

    @property
    def rising(self) -> bool:
        """Whether greater stored values are brighter."""
        return bool(self.grey[-1] >= self.grey[0])

    def stored(self, index: int) -> npt.NDArray[Any]:
        """Return the stored integers of a slice, by its place in the order of depth."""
        values = self.read(self.frames[index])
        if values.shape != self.shape:
            raise ValueError(f"slice {index} has the shape {values.shape}, the volume {self.shape}")
        return values

    def levels(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the grey levels of stored integers, of whole slices or parts of them."""
        return look_up(self.grey, self.lowest, values)

    def mammogram(self, index: int) -> Mammogram:
        """Return a slice as an image of its own."""
        return self.picture(self.stored(index))

    def picture(self, values: npt.NDArray[Any]) -> Mammogram:
        """Return stored values of any slice, or of several together, as an image."""
        return Mammogram(
            pixels=self.levels(values),
            spacing=self.spacing,
            valid=self.valid,
            intent=self.intent,
            laterality=self.laterality,
            view=self.view,
            display_window=self.display_window,
            source=self.source,
            polarity_source=self.polarity_source,
            study=self.study,
            header=dict(self.header),
            origin=self.origin,
            flags=self.flags,
            details=dict(self.details),
        )

    def part(self, values: npt.NDArray[Any], part: tuple[slice, slice]) -> Mammogram:
        """Return stored values of a part of the image as an image of its own."""
        own = self.valid[part] if self.valid is not None else None
        return replace(replace(self, valid=own).picture(values), details={})

    @classmethod
    def from_array(
        cls,
        slices: npt.ArrayLike,
        pixel_spacing_mm: float | tuple[float, float],
        slice_spacing_mm: float = 1.0,
        *,
        half_angle_deg: float | None = None,
        laterality: str | None = None,
        view: str | None = None,
        source: str = "",
    ) -> Volume:
        """Make a volume from an array in which calcifications are bright.

        Parameters
        ----------
        slices : (slices, rows, cols) array of uint8 or uint16
            In the order of depth.
        pixel_spacing_mm : float or (float, float)
            Pixel spacing in mm, or (row spacing, column spacing).
        slice_spacing_mm : float
            Distance between slices in mm.
        """
        stack = np.asarray(slices)
        if stack.ndim != 3 or 0 in stack.shape or stack.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"expected (slices, rows, cols) of uint8 or uint16, got {stack.shape} {stack.dtype}"
            )
        pair = pixel_spacing_mm if isinstance(pixel_spacing_mm, tuple) else (pixel_spacing_mm,) * 2
        if not slice_spacing_mm > 0:
            raise ValueError(f"slice_spacing_mm must be positive, got {slice_spacing_mm}")
        return cls(
            shape=(stack.shape[1], stack.shape[2]),
            spacing=PixelSpacing(float(pair[0]), float(pair[1])),
            frames=tuple(range(len(stack))),
            depth_mm=tuple(float(k * slice_spacing_mm) for k in range(len(stack))),
            read=lambda frame: stack[frame],
            grey=np.arange(np.iinfo(stack.dtype).max + 1, dtype=np.float32),
            half_angle_deg=half_angle_deg,
            laterality=laterality,
            view=view,
            source=source,
        )


def look_up(table: npt.NDArray[np.float32], lowest: int, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the entry of a table for every integer; those outside get the nearest entry.

    Parameters
    ----------
    table : (entries,) float32 array
    lowest : int
        The integer of the first entry.
    values : integer array
    """
    if lowest == 0 and values.dtype == np.uint16 and table.size == 65536:
        place = values  # every value has its entry: nothing to clip
    else:
        place = np.clip(values.astype(np.int64) - lowest, 0, table.size - 1)
    found: npt.NDArray[np.float32] = np.take(table, place)
    return found
