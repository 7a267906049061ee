"""mini-MIAS: 322 digitised films at 0.2 mm, abnormalities as circles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.validation.datasets.base import (
    Case,
    Dataset,
    DatasetInfo,
    Finding,
    Kind,
    TruthStatus,
    files_under,
)
from mcdetect.validation.datasets.shapes import Circle

__all__ = ["MiniMias"]

_SIDE = 1024  # Standard: pixels along each side of an image, from the data set's description
_DOUBTFUL = frozenset({"mdb212", "mdb214"})
_CLASSES = {
    "CALC": "calcification",
    "CIRC": "circumscribed mass",
    "SPIC": "spiculated mass",
    "MISC": "ill-defined mass",
    "ARCH": "architectural distortion",
    "ASYM": "asymmetry",
}
_TISSUE = {"F": "fatty", "G": "fatty-glandular", "D": "dense-glandular"}
_PATHOLOGY = {"B": "benign", "M": "malignant"}
_LINE = re.compile(r"(mdb\d{3})\b\s*(.*)", re.IGNORECASE)


class MiniMias(Dataset):
    """The mini-MIAS database.

    Films come in pairs, the odd number the right and the even number the left breast of one patient,
    all oblique views. The vertical axis of the published coordinates runs upwards: row = 1024 - y.
    """

    info = DatasetInfo(
        name="mini-mias",
        title="mini-MIAS (Mammographic Image Analysis Society, reduced)",
        home="http://peipa.essex.ac.uk/info/mias.html",
        licence="research only; see its Licence.txt",
        reference="Suckling et al. 1994, Excerpta Medica International Congress Series 1069, 375-378",
        layout="Info.txt and mdb001.pgm ... mdb322.pgm, anywhere under the root",
        truth="a circle around each abnormality, so groups and not single calcifications; "
        "mdb216, mdb233 and mdb245 hold calcifications that are not located; "
        "the circles of mdb212 and mdb214 are doubtful",
        spacing="0.2 mm (stated by the set; reduced from 0.05 mm)",
    )

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        self._table = self._find("Info.txt", what="Info.txt")[0]

    def _entries(self) -> Iterator[Case | InputFileError]:
        images = {path.stem.lower(): path for path in files_under(self.root, "mdb*.pgm")}
        for name, lines in self._lines().items():
            try:
                if name not in images:
                    raise self._missing(f"{name}.pgm")
                yield self._case(name, images[name], lines)
            except InputFileError as error:
                yield error if error.path else error.with_path(self._table)

    def _lines(self) -> dict[str, list[list[str]]]:
        """Return the words after the reference of each line about an image, by image."""
        try:
            text = self._table.read_text(encoding="latin-1")
        except OSError as error:
            raise UnreadableFileError(
                f"cannot be opened ({error.strerror})", "check that it may be read", self._table
            ) from error
        found: dict[str, list[list[str]]] = {}
        for line in text.splitlines():
            match = _LINE.fullmatch(line.strip())
            words = match[2].split() if match else []
            # Running text also names images: a line of the table goes on with a tissue and a class.
            if match and len(words) >= 2 and words[0] in _TISSUE and words[1] in {*_CLASSES, "NORM"}:
                found.setdefault(match[1].lower(), []).append(words)
        if not found:
            raise UnreadableFileError("it lists no image", "obtain the file again", self._table)
        return found

    def _case(self, name: str, path: Path, lines: list[list[str]]) -> Case:
        findings: list[Finding] = []
        remarks: list[str] = []
        unlocated = False
        for words in lines:
            if words[1] == "NORM":
                continue
            finding = _finding(name, words)
            if finding is not None:
                findings.append(finding)
            elif words[1] == "CALC":
                unlocated = True
                remarks.append("calcifications spread through the image are not located (note 3)")
            else:
                remarks.append(f"{_CLASSES[words[1]]} not located")
        if name in _DOUBTFUL:
            remarks.append("the published place of its calcifications is doubtful")
        number = int(name[3:])
        groups = any(finding.kind is Kind.GROUP for finding in findings)
        status = TruthStatus.LOCATED if groups else TruthStatus.NEGATIVE
        kinds = {_CLASSES.get(words[1], "normal") for words in lines}
        severities = {_PATHOLOGY[words[2]] for words in lines if words[2:3] and words[2] in _PATHOLOGY}
        worst = "malignant" if "malignant" in severities else next(iter(severities), "normal")
        return Case(
            dataset=self.info.name,
            name=name,
            patient=f"pair{(number + 1) // 2:03d}",
            path=path,
            status=TruthStatus.UNLOCATED if unlocated else status,
            findings=tuple(findings),
            view="MLO",
            laterality="R" if number % 2 else "L",
            spacing=PixelSpacing(0.2, 0.2, "stated by mini-MIAS", Plane.FILM),
            labels={
                "density": _TISSUE[lines[0][0]],
                "abnormality": ", ".join(sorted(kinds)),
                "pathology": worst,
            },
            remarks=tuple(remarks),
        )


def _finding(name: str, words: list[str]) -> Finding | None:
    """Return the circle of one line, or None when the line gives none."""
    numbers = [word for word in words[3:6] if word.lstrip("+-").isdigit()]
    if not numbers:
        return None
    if len(numbers) < 3:
        raise UnreadableFileError(f"the line of {name} lacks x, y or radius", "correct it")
    x, y, radius = (float(word) for word in numbers)
    kind = Kind.GROUP if words[1] == "CALC" else Kind.OTHER
    labels = {"name": _CLASSES[words[1]]}
    if words[2] in _PATHOLOGY:
        labels["pathology"] = _PATHOLOGY[words[2]]
    return Finding(kind, Circle(_SIDE - y, x, radius), labels, (_SIDE, _SIDE))
