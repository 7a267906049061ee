"""Export for RJafroc: the sheets TRUTH, FP and TP of one reader and one or two modalities.

Read it with ``DfReadDataFile("rjafroc.xlsx", newExcelFileFormat = TRUE)``.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from mcdetect.validation.evaluation.cases import Ints
from mcdetect.validation.evaluation.tally import Tally
from mcdetect.validation.evaluation.xlsx import MOST_ROWS, Cell, write_workbook

__all__ = ["RJAFROC", "case_table", "sheets", "write_rjafroc"]

logger = logging.getLogger(__name__)

RJAFROC = "rjafroc.xlsx"
"""Name of the workbook in the folder of results."""

_READER = "0"


def _cases(tally: Tally) -> Ints:
    """Return the images that RJafroc can use: with lesions that count, or normal.

    An image with nothing but findings that do not count is neither diseased nor normal.
    """
    lesions = np.bincount(tally.rating_image, minlength=len(tally.images.names))
    return np.flatnonzero((lesions > 0) | tally.images.normal)


def case_table(tally: Tally) -> pd.DataFrame:
    """Return which image every CaseID is: CaseID, image."""
    cases = _cases(tally)
    return pd.DataFrame({"CaseID": cases + 1, "image": [tally.images.names[case] for case in cases]})


def _lesion_numbers(tally: Tally) -> Ints:
    """Number the lesions of every image from 1; (k,) int64."""
    order = np.argsort(tally.rating_image, kind="stable")
    image = tally.rating_image[order]
    first = np.searchsorted(image, image, side="left")
    numbers = np.empty(len(image), dtype=np.int64)
    numbers[order] = np.arange(len(image)) - first + 1
    return numbers


def sheets(tallies: tuple[Tally, ...]) -> dict[str, list[list[Cell]]]:
    """Return the rows of the three sheets.

    Weights are 0, which RJafroc takes as equal weights within an image. Identifiers of reader and modality
    are texts; the modalities are "0" and, for a second detector, "1".

    Parameters
    ----------
    tallies : tuple of Tally
        One per detector, of the same truth.
    """
    modality = ", ".join(str(number) for number in range(len(tallies)))
    first = tallies[0]
    lesion, cases = _lesion_numbers(first), _cases(first)
    truth: list[list[Cell]] = [["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"]]
    of_case: dict[int, list[int]] = {}
    for image, number in zip(first.rating_image.tolist(), lesion.tolist(), strict=True):
        of_case.setdefault(image, []).append(number)
    for case in cases.tolist():
        for number in sorted(of_case.get(case, [0])):
            paradigm = ("FROC", "FCTRL")[len(truth) - 1] if len(truth) < 3 else None
            truth.append([case + 1, number, 0, _READER, modality, paradigm])
    false: list[list[Cell]] = [["ReaderID", "ModalityID", "CaseID", "FP_Rating"]]
    true: list[list[Cell]] = [["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"]]
    for number, tally in enumerate(tallies):
        usable = np.flatnonzero(np.isin(tally.false_image, cases))
        usable = usable[np.lexsort((-tally.false_score[usable], tally.false_image[usable]))]
        usable = _fitting(usable, tally, MOST_ROWS // len(tallies))
        false += [
            [_READER, str(number), image + 1, score]
            for image, score in zip(
                tally.false_image[usable].tolist(), tally.false_score[usable].tolist(), strict=True
            )
        ]
        hit = np.flatnonzero(np.isfinite(tally.rating))
        hit = hit[np.lexsort((lesion[hit], tally.rating_image[hit]))]
        true += [
            [_READER, str(number), image + 1, name, score]
            for image, name, score in zip(
                tally.rating_image[hit].tolist(),
                lesion[hit].tolist(),
                tally.rating[hit].tolist(),
                strict=True,
            )
        ]
    return {"TRUTH": truth, "FP": false, "TP": true}


def _fitting(rows: Ints, tally: Tally, most: int) -> Ints:
    """Keep the highest marks of every image where a sheet cannot hold all; rows sorted by image and score."""
    if len(rows) <= most:
        return rows
    image = tally.false_image[rows]
    rank = np.arange(len(rows)) - np.searchsorted(image, image, side="left")
    per_image = int(np.searchsorted(np.cumsum(np.bincount(rank)), most, side="right"))
    logger.warning(
        "an Excel sheet is too short for all false marks: the %d highest of each image are kept", per_image
    )
    return np.asarray(rows[rank < per_image], dtype=np.int64)


def write_rjafroc(path: str | Path, tallies: tuple[Tally, ...]) -> None:
    """Write the workbook.

    Parameters
    ----------
    path : path-like
        Must end in ``.xlsx``.
    tallies : tuple of Tally
        One per detector, of the same truth.
    """
    write_workbook(path, sheets(tallies))
