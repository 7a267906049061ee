"""Which images of a run are copies of one exposure: sent twice, raw and processed, or saved again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcdetect.image.sketch import likeness

__all__ = ["Trace", "find_exposures", "same_pixels", "shared_instances"]

LIKE = 0.7
"""Judged: likeness of the texture from which two images show one exposure.

Raw and processed versions of drawn mammograms have 0.9, other breasts 0.3 at most.
"""
_MOST = 200  # Technical: images of one examination; more share a name that an anonymiser gave to all
_NOT_UNLIKE = 0.4  # Judged: below this, the same moment is one that an anonymiser wrote into all headers


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
    sketch : str
        The texture of the breast, from `mcdetect.image.sketch.sketch`; empty when unknown.
    """

    file: str
    pixels: str = ""
    instance: str = ""
    event: str = ""
    sources: tuple[str, ...] = ()
    place: tuple[str, str, str] = ("", "", "")
    sketch: str = ""


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
    - one names the other as its source, and no side or view speaks against it;
    - both name the same irradiation event, or the same moment in the same examination, side and view, and
      their texture does not speak against it;
    - or they are of one examination, no side, view or moment speaks against it, and the texture of the breast
      is the same (`LIKE`).

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

    pixels: dict[str, int] = {}
    made = {trace.instance: number for number, trace in reversed(list(enumerate(traces))) if trace.instance}
    examinations: dict[str, list[int]] = {}
    for number, trace in enumerate(traces):
        if trace.pixels:
            join(pixels.setdefault(trace.pixels, number), number)
        for source in trace.sources:
            if source in made and _may_be_one(trace, traces[made[source]]):
                join(made[source], number)
        for key in {trace.event, trace.place[0]} - {""}:
            examinations.setdefault(key, []).append(number)
    for numbers in examinations.values():
        if len(numbers) > _MOST:
            continue
        for k, one in enumerate(numbers):
            for two in numbers[:k]:
                if find(one) != find(two) and _is_one(traces[one], traces[two]):
                    join(two, one)
    order: dict[int, int] = {}
    return {trace.file: order.setdefault(find(number), len(order) + 1) for number, trace in enumerate(traces)}


def _may_be_one(one: Trace, two: Trace) -> bool:
    """Return whether no side and view speak against it: images may be made from several exposures."""
    return all(a == b or not (a and b) for a, b in zip(one.place[1:], two.place[1:], strict=True))


def _is_one(one: Trace, two: Trace) -> bool:
    if not _may_be_one(one, two) or (one.event and two.event and one.event != two.event):
        return False
    same_event = bool(one.event) and one.event == two.event
    if not (one.sketch and two.sketch):
        return same_event
    return likeness(one.sketch, two.sketch) >= (_NOT_UNLIKE if same_event else LIKE)


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
