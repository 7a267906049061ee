"""Which side and view each attribute of a header claims, in the order in which they are believed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from mcdetect.image.views import VIEWS, parse_view_name
from mcdetect.readers.dicom.tags import code, items, text, texts

__all__ = ["VIEW_CODES", "Claim", "contradictions", "side_claims", "view_claims"]

VIEW_CODES = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "399348003": "XCC",
    "R-10206": "XCC",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
}
"""View codes, SNOMED CT and the older SNOMED-RT (DICOM PS3.16, CID 4014)."""

SIDE_CODES = {
    "7771000": "L",
    "G-A101": "L",
    "24028007": "R",
    "G-A100": "R",
    "80248007": "L",
    "T-04030": "L",
    "73056007": "R",
    "T-04020": "R",
}
"""Left and right, and left and right breast, SNOMED CT and SNOMED-RT (DICOM PS3.16, CID 244 and 6022)."""

_SIDE_WORDS = {
    **dict.fromkeys(("L", "LEFT", "LT", "LINKS", "GAUCHE", "IZQUIERDA", "SINISTRA"), "L"),
    **dict.fromkeys(("R", "RIGHT", "RT", "RECHTS", "DROITE", "DERECHA", "DESTRA"), "R"),
}
_JOINED = re.compile(rf"([LR])({'|'.join(sorted(VIEWS - {'AT', 'CV', 'FB'}, key=len, reverse=True))})")
_CC_KINDS = frozenset({"XCC", "XCCL", "XCCM"})


@dataclass(frozen=True)
class Claim:
    """What one attribute says.

    Parameters
    ----------
    value : str
        A side ("L", "R") or a view.
    source : str
        Name of the attribute.
    """

    value: str
    source: str


def side_claims(header: Dataset) -> list[Claim]:
    """Return every side that the header claims, the most trusted first."""
    claims = [
        Claim(value, name)
        for keyword, name in (("ImageLaterality", "Image Laterality"), ("Laterality", "Laterality"))
        if (value := text(header, keyword)) in ("L", "R")
    ]
    for group in _groups(header):
        for anatomy in items(group, "FrameAnatomySequence"):
            if (value := text(anatomy, "FrameLaterality")) in ("L", "R"):
                claims.append(Claim(value, "Frame Laterality"))
            claims += _side_codes(anatomy)
    claims += _side_codes(header)
    claims += [Claim(side, source) for source, side, _ in _written(header) if side is not None]
    return claims


def view_claims(header: Dataset) -> list[Claim]:
    """Return every view that the header claims, the most trusted first."""
    coded = list(items(header, "ViewCodeSequence"))
    claims = [
        Claim(view, "View Code Sequence")
        for item in coded
        if (view := VIEW_CODES.get(code(item))) is not None
    ]
    for item in coded:
        meaning = _view_meant(_raw(item, "CodeMeaning"))
        if code(item) not in VIEW_CODES and meaning is not None:
            claims.append(Claim(meaning, "meaning of the View Code"))
    claims += [Claim(view, source) for source, _, view in _written(header) if view is not None]
    orientation = texts(header, "PatientOrientation")
    if len(orientation) == 1 and orientation[0] in VIEWS:
        claims.append(Claim(orientation[0], "Patient Orientation"))
    return claims


def contradictions(claims: list[Claim]) -> Iterator[str]:
    """Yield a remark for each claim that contradicts the first; a kind of CC does not contradict CC."""
    for claim in claims[1:]:
        first = claims[0]
        pair = {first.value, claim.value}
        if len(pair) == 2 and not ("CC" in pair and pair & _CC_KINDS):
            yield f"{claim.source} says {claim.value}, but {first.source} {first.value}"


def _written(header: Dataset) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield (attribute, side, view) from what is written as text."""
    yield ("View Position", *_words(_raw(header, "ViewPosition")))
    # Fujifilm writes side and view of a plate there.
    fuji = "AcquisitionDeviceProcessingDescription"
    yield ("Acquisition Device Processing Description", *_words(_raw(header, fuji)))
    for item in items(header, "ViewCodeSequence"):
        if code(item) not in VIEW_CODES:
            yield ("View Code Sequence", *_words(code(item)))
            yield ("meaning of the View Code", _words(_raw(item, "CodeMeaning"))[0], None)
    yield ("Series Description", *parse_view_name(_raw(header, "SeriesDescription")))
    yield ("Protocol Name", *parse_view_name(_raw(header, "ProtocolName")))


def _words(written: str) -> tuple[str | None, str | None]:
    """Return side and view of a short text such as "RIGHT MLO", "LCC" or "cranio-caudal"; None if several."""
    sides, views = set(), set()
    for word in re.split(r"[^A-Z0-9]+", written.upper()):
        if word in VIEWS:
            views.add(word)
        elif word in _SIDE_WORDS:
            sides.add(_SIDE_WORDS[word])
        elif (joined := _JOINED.fullmatch(word)) is not None:
            sides.add(joined[1])
            views.add(joined[2])
    if not views and (meant := _view_meant(written)) is not None:
        views.add(meant)
    return (sides.pop() if len(sides) == 1 else None, views.pop() if len(views) == 1 else None)


def _view_meant(meaning: str) -> str | None:
    """Return the view that words describe: "medio-lateral oblique", "kraniokaudal"."""
    plain = unicodedata.normalize("NFKD", meaning).lower()
    letters = re.sub(r"[^a-z]", "", plain.replace("k", "c"))
    oblique = "obli" in letters or "schrag" in letters
    if "superolateral" in letters and "inferomedial" in letters:
        return "SIO" if letters.index("superolateral") < letters.index("inferomedial") else "ISO"
    if re.search(r"cran(i|e)?o?caudal", letters):
        if "exag" not in letters:
            return "CC"
        return "XCCL" if "lateral" in letters else "XCCM" if "medial" in letters else "XCC"
    if "caudocranial" in letters or "frombelow" in letters:
        return "FB"
    if "lateromedial" in letters:
        return "LMO" if oblique else "LM"
    if "mediolateral" in letters:
        return "MLO" if oblique else "ML"
    return "MLO" if oblique else None


def _side_codes(holder: Dataset) -> list[Claim]:
    """Return what codes of the anatomic region and its modifiers say."""
    claims = []
    for region in items(holder, "AnatomicRegionSequence"):
        coded = [("Anatomic Region", region)]
        coded += [
            ("Anatomic Region Modifier", item) for item in items(region, "AnatomicRegionModifierSequence")
        ]
        for source, item in coded:
            side = SIDE_CODES.get(code(item)) or _words(_raw(item, "CodeMeaning"))[0]
            if side is not None:
                claims.append(Claim(side, source))
    return claims


def _raw(holder: Dataset, keyword: str) -> str:
    return text(holder, keyword)[:200]


def _groups(header: Dataset) -> list[Dataset]:
    groups = list(items(header, "SharedFunctionalGroupsSequence"))
    return groups + list(items(header, "PerFrameFunctionalGroupsSequence"))[:1]
