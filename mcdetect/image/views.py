"""Mammographic views and sides as people write them."""

from __future__ import annotations

import re

__all__ = ["PART_VIEWS", "SEVERAL_BREASTS", "VIEWS", "parse_view_name"]

VIEWS = frozenset({"CC", "MLO", "ML", "LM", "LMO", "XCCL", "XCCM", "XCC", "FB", "SIO", "ISO", "AT", "CV"})
"""Views that mcdetect tells apart (DICOM PS3.16, CID 4014, and abbreviations of PS3.3, C.8.11.7)."""

PART_VIEWS = frozenset({"magnification view", "spot compression view", "stereotactic image", "specimen"})
"""Remarks of the loader on images that show a part of a breast, whose nipple and outline are not known."""

SEVERAL_BREASTS = "several breasts in one image"
"""How the remark begins on an image whose views cannot be told apart."""

_NAMED_VIEWS = "|".join(sorted(VIEWS - {"AT", "CV", "FB", "ISO", "SIO"}, key=len, reverse=True))
_TOKENS = re.compile(
    rf"(?<![A-Z0-9])(?:(?P<side>L|R|LEFT|RIGHT)[ _.-]*)?(?P<view>{_NAMED_VIEWS})"
    r"(?:[ _.-]*(?P<after>L|R|LEFT|RIGHT))?(?![A-Z0-9])"
)


def parse_view_name(text: str) -> tuple[str | None, str | None]:
    """Find laterality and view in a name such as "1_R_CC", "LMLO" or "Left MLO".

    Parameters
    ----------
    text : str
        A file name without its extension or a series description.

    Returns
    -------
    laterality : {"L", "R"} or None
    view : str or None
        Both None when there is no view, or when the name holds several that disagree.
    """
    found = set()
    for match in _TOKENS.finditer(text.upper()):
        side = match["side"] or match["after"]
        found.add((side[0] if side else None, match["view"]))
    return found.pop() if len(found) == 1 else (None, None)
