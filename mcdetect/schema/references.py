"""Publications that columns name as their source, and reasons for which a value may be missing."""

from __future__ import annotations

__all__ = [
    "ALONE",
    "BETAL",
    "BIRADS",
    "CHAN",
    "CHEN",
    "FEW",
    "NEAREST",
    "NO_NIPPLE",
    "NO_OUTLINE",
    "NO_OUTLINES",
    "NO_WALL",
    "ONE_PLACE",
    "PART_ONLY",
    "PRIM",
    "PYRADIOMICS",
    "SHANNON",
    "SHEN",
]

CHAN = "doi:10.1118/1.598389"
CHEN = "IEEE Trans. Biomed. Eng. 62 (2015) 1203"
SHEN = "IEEE Trans. Med. Imaging 13 (1994) 263"
BETAL = "Br. J. Radiol. 70 (1997) 903"
PYRADIOMICS = "doi:10.1158/0008-5472.CAN-17-0339"
SHANNON = "doi:10.1002/j.1538-7305.1948.tb01338.x"
PRIM = "doi:10.1002/j.1538-7305.1957.tb01515.x"
NEAREST = "doi:10.2307/1931034"
BIRADS = "BI-RADS 5th ed. (ACR 2013)"

NO_OUTLINE = "no outline (nothing of its own rises above its background)"
ALONE = "one member"
NO_OUTLINES = "no member has an outline"
ONE_PLACE = "all members at one place"
NO_NIPPLE = "no skin line, or the nipple outside the image"
PART_ONLY = "a magnification, spot or stereotactic view or a specimen that shows no skin line"
NO_WALL = "a crop, or no chest wall"
FEW = "fewer than three measured members"
