"""Which images of a run are copies of one exposure: sent twice, raw and processed, or saved again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Trace", "find_exposures", "same_pixels", "shared_instances"]

# Judged: two exposures of a breast that is laid down anew differ by more, two versions of one image by less.
AREA_SHARE = 0.05
"""Areas of the breast in two versions of one exposure differ by at most this share."""
NIPPLE_MM = 5.0
"""The nipple lies at most this far apart in them."""


@dataclass(frozen=True)
class Trace:
    """What is kept of an image to tell its copies.

    Parameters
    ----------
    file : str
        Its name in the tables.
    pixels, instance, event : str
        Pseudonyms of its pixels, of its SOP instance and of its exposure; empty when unknown.
    sources : tuple of str
        Pseudonyms of the instances that it was made from.
    place : tuple of str
        Examination, side and view; empty parts when unknown.
    size_mm : (float, float)
        Height and width of the image.
    area_cm2 : float
        Area of the breast.
    nipple_mm : (float, float)
        Where the nipple is; NaN when unknown.
    """

    file: str
    pixels: str = ""
    instance: str = ""
    event: str = ""
    sources: tuple[str, ...] = ()
    place: tuple[str, str, str] = ("", "", "")
    size_mm: tuple[float, float] = (0.0, 0.0)
    area_cm2: float = 0.0
    nipple_mm: tuple[float, float] = field(default=(float("nan"), float("nan")))


def same_pixels(traces: Sequence[Trace]) -> dict[str, str]:
    """Return, for each image whose pixels an earlier one has, the first of those."""
    first: dict[str, str] = {}
    found = {}
    for trace in traces:
        if trace.pixels and first.setdefault(trace.pixels, trace.file) != trace.file:
            found[trace.file] = first[trace.pixels]
    return found


def find_exposures(traces: Sequence[Trace]) -> dict[str, int]:
    """Number the exposures of a run.

    Two images are of one exposure when

    - their pixels are the same;
    - one names the other as its source, of the same side and view;
    - both name the same irradiation event, or the same moment in the same examination, side and view;
    - or, where neither names a moment: examination, side, view and size of the image agree, and breast and
      nipple lie alike (`AREA_SHARE`, `NIPPLE_MM`).

    Parameters
    ----------
    traces : sequence of Trace
        In the order of the run.

    Returns
    -------
    dict of str to int
        Number from 1 in that order, by file.
    """
    root = list(range(len(traces)))

    def find(one: int) -> int:
        while root[one] != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    def join(one: int, two: int) -> None:
        one, two = sorted((find(one), find(two)))
        root[two] = one

    known: dict[tuple[str, str], int] = {}
    for number, trace in enumerate(traces):
        for key in _keys(trace):
            join(known.setdefault(key, number), number)
    made = {trace.instance: number for number, trace in reversed(list(enumerate(traces))) if trace.instance}
    for number, trace in enumerate(traces):
        for source in trace.sources:
            if source in made and _may_be_one(trace, traces[made[source]]):
                join(made[source], number)
    timeless: dict[tuple[str, str, str], list[int]] = {}
    for number, trace in enumerate(traces):
        if all(trace.place) and not trace.event:
            timeless.setdefault(trace.place, []).append(number)
    for numbers in timeless.values():
        for k, one in enumerate(numbers):
            for two in numbers[:k]:
                if _alike(traces[one], traces[two]):
                    join(two, one)
    order: dict[int, int] = {}
    return {trace.file: order.setdefault(find(number), len(order) + 1) for number, trace in enumerate(traces)}


def _keys(trace: Trace) -> list[tuple[str, str]]:
    """Return what an image shares with its copies. One SOP instance with other pixels is no copy."""
    return [(kind, value) for kind, value in (("pixels", trace.pixels), ("event", trace.event)) if value]


def _may_be_one(one: Trace, two: Trace) -> bool:
    """Return whether no side and view speak against it: images may be made from several exposures."""
    return all(a == b or not (a and b) for a, b in zip(one.place[1:], two.place[1:], strict=True))


def _alike(one: Trace, two: Trace) -> bool:
    if any(abs(a - b) > 1.0 for a, b in zip(one.size_mm, two.size_mm, strict=True)):
        return False
    if abs(one.area_cm2 - two.area_cm2) > AREA_SHARE * max(one.area_cm2, two.area_cm2):
        return False
    apart = [abs(a - b) for a, b in zip(one.nipple_mm, two.nipple_mm, strict=True)]
    return not any(distance > NIPPLE_MM for distance in apart)  # unknown ones do not speak against it


def shared_instances(traces: Sequence[Trace]) -> Mapping[str, str]:
    """Return, for each image whose SOP instance an earlier one has with other pixels, that image."""
    first: dict[str, Trace] = {}
    found = {}
    for trace in traces:
        if trace.instance:
            earlier = first.setdefault(trace.instance, trace)
            if earlier is not trace and earlier.pixels != trace.pixels:
                found[trace.file] = earlier.file
    return found
