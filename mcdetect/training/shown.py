"""Groups that the model got right and wrong, as examples and as pictures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.errors import InputFileError
from mcdetect.image.volume import Volume
from mcdetect.output.overlays import write_png
from mcdetect.pictures import drawing
from mcdetect.pictures.display import take_crop
from mcdetect.readers.image_file import ImageFile
from mcdetect.runs.discovery import find_inputs
from mcdetect.training.learning import Training

__all__ = ["draw_examples", "examples_of"]

logger = logging.getLogger(__name__)

# Judged: a page shows so many of each, and a group with so much about it.
_EACH = 5
_MARGIN_MM = 1.75
_LEAST_MM, _MOST_MM = 8.0, 40.0

_SIDE = 360  # Technical: px of a picture


def examples_of(training: Training) -> pd.DataFrame:
    """Choose the groups that were most clearly right and wrong on patients not seen.

    Groups are compared within their fold. Positive and negative ones take turns, and each patient is shown
    once among the right and once among the wrong, as far as there are enough.

    Returns
    -------
    DataFrame
        `verdict` ("right" or "wrong"), `row` (of the predictions, from 0), `label`, and `above`, the share of
        the groups of its fold that the group is ranked above, of other patients.
    """
    label, patient = training.examples.label, training.examples.patient
    score, fold = training.out_of_fold.log_odds[0], training.out_of_fold.fold[0]
    above = np.full(label.size, np.nan)
    for row in range(label.size):
        others = (fold == fold[row]) & (patient != patient[row])
        if others.any():
            above[row] = np.mean(score[others] < score[row]) + 0.5 * np.mean(score[others] == score[row])
    # Of an image or a patient that is positive, some groups may be harmless: only the highest are examples.
    rows = training.design.rows
    if rows.pooled.level == "group":
        candidates = np.arange(label.size)
    else:
        order = np.lexsort((-score, rows.unit))
        candidates = order[np.append(True, np.diff(rows.unit[order]) > 0)]
    error = np.where(label == 1, 1.0 - above, above)
    found = []
    for verdict, sign in (("right", 1.0), ("wrong", -1.0)):
        ranked = [
            row
            for row in candidates[np.argsort(sign * error[candidates], kind="stable")]
            if np.isfinite(error[row]) and (error[row] < 0.5) == (verdict == "right")
        ]
        for row in _in_turns(ranked, label, patient):
            found.append((verdict, int(row), int(label[row]), float(above[row])))
    return pd.DataFrame(found, columns=["verdict", "row", "label", "above"])


def _in_turns(
    ranked: Sequence[int], label: npt.NDArray[np.int64], patient: npt.NDArray[np.int64]
) -> list[int]:
    first: list[int] = []
    seen: set[tuple[int, int]] = set()
    for row in ranked:
        if (key := (int(patient[row]), int(label[row]))) not in seen:
            seen.add(key)
            first.append(row)
    kinds = [[row for row in first if label[row] == value] for value in (1, 0)]
    taken: list[int] = []
    for number in range(_EACH):
        taken += [kind[number] for kind in kinds if number < len(kind)]
    taken = taken[:_EACH]
    return taken + [row for row in ranked if row not in taken][: _EACH - len(taken)]


def draw_examples(
    training: Training,
    shown: pd.DataFrame,
    images: Sequence[str | Path],
    folder: Path,
    *,
    tables: pd.DataFrame | None = None,
) -> dict[int, Path]:
    """Draw the groups that are shown, from their images.

    Parameters
    ----------
    training : Training
    shown : DataFrame
        From `examples_of`.
    images : sequence of path-like
        Files and folders that were given to `mcdetect detect`.
    folder : Path
        Where the pictures go; it exists.
    tables : DataFrame, optional
        The table of images, which tells the pixel spacing.

    Returns
    -------
    dict of int to Path
        By row; without those whose image is not there or cannot be read.
    """
    inputs = {entry.file: entry for entry in find_inputs(images).inputs}
    clusters = training.examples.clusters
    written: dict[int, Path] = {}
    for number, (verdict, row) in enumerate(zip(shown["verdict"], shown["row"], strict=True), start=1):
        cluster = clusters.iloc[int(row)]
        entry = inputs.get(str(cluster["file"]))
        if entry is None:
            logger.warning("an image of the examples is not among those given (--images)")
            continue
        try:
            spacing = _spacing(tables, str(cluster["file"]))
            picture = _picture(ImageFile(entry.path, "image", spacing, member=entry.member), cluster)
        except InputFileError as error:
            logger.warning("an image of the examples cannot be shown: %s", error.cause)
            continue
        written[int(row)] = folder / f"{verdict}_{number}.png"
        write_png(written[int(row)], picture)
    return written


def _spacing(tables: pd.DataFrame | None, file: str) -> float | None:
    if tables is None or not {"file", "row_spacing_mm", "col_spacing_mm"} <= set(tables.columns):
        return None
    here = tables[tables["file"] == file]
    if here.empty or here["row_spacing_mm"].iloc[0] != here["col_spacing_mm"].iloc[0]:
        return None
    return float(here["row_spacing_mm"].iloc[0])


def _picture(source: ImageFile, cluster: pd.Series) -> drawing.Picture:
    image = source.read()
    if isinstance(image, Volume):  # of a stack, the slice that the group is in
        mammogram = image.mammogram(image.frames.index(int(cluster["slice"])))
    else:
        mammogram = image
    spacing = mammogram.spacing
    ends = [[float(cluster[f"{end}_{axis}_px"]) for end in ("min", "max")] for axis in ("row", "col")]
    extent = max((ends[0][1] - ends[0][0]) * spacing.row_mm, (ends[1][1] - ends[1][0]) * spacing.col_mm)
    side = float(np.clip(extent + 2.0 * _MARGIN_MM, _LEAST_MM, _MOST_MM))
    grey = take_crop(mammogram, (sum(ends[0]) / 2, sum(ends[1]) / 2), side, _SIDE)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    drawing.scale_bar(picture, _SIDE - 10, _SIDE - 10, _SIDE / side, _SIDE // 3, drawing.INK, height=10)
    return picture
