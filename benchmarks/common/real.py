"""Real mammograms with outcomes and labels (../shared/data/real), searched by the detector at hand."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.common.fold_models import FoldModels
from benchmarks.common.shared import DATA
from mcdetect.pipeline import detect_file
from mcdetect.readers.image_file import ImageFile

__all__ = ["REAL", "RealSet", "annotated_images", "near_truth", "read_points", "real_images", "search_real"]

REAL = DATA / "real"
_SCREENING_MM = 0.07
_REACH_MM, _MARGIN_MM = 0.5, 0.2


@dataclass(frozen=True)
class RealSet:
    """What is known of the real images and what was found in them.

    Attributes
    ----------
    images : DataFrame
        file, set ("inbreast", "dutch"), woman, birads, calc_suspicious, normal, chosen (a woman who was
        chosen since something was flagged in her images), seconds.
    groups : DataFrame
        The flagged groups, with all their columns.
    candidates : DataFrame
        file, row_px, col_px and score of the candidates.
    calcifications : DataFrame
        file, row_px, col_px, score and kind of the calcifications.
    labels, points : DataFrame
        Groups labelled by eye; calcifications marked by readers.
    annotated : frozenset of str
        Images in which readers marked every calcification.
    """

    images: pd.DataFrame
    groups: pd.DataFrame
    candidates: pd.DataFrame
    calcifications: pd.DataFrame
    labels: pd.DataFrame
    points: pd.DataFrame
    annotated: frozenset[str]


def real_images() -> pd.DataFrame:
    """Return what is known of every image: the columns of `RealSet.images`, but the seconds; `spacing_mm`."""
    diagnostic = pd.read_csv(REAL / "inbreast" / "images.csv", dtype={"birads": str})
    screening = pd.read_csv(REAL / "dutch" / "images.csv")
    screening = screening.assign(
        spacing_mm=_SCREENING_MM, birads="", calc_suspicious=False, chosen=screening.woman.str.match("nld1")
    )
    columns = ["file", "woman", "spacing_mm", "birads", "calc_suspicious", "normal"]
    both = [diagnostic[columns].assign(chosen=False, set="inbreast"), screening[[*columns, "chosen"]]]
    return pd.concat([both[0], both[1].assign(set="dutch")], ignore_index=True)


def read_points() -> pd.DataFrame:
    """Return the calcifications that readers marked: image, row_px, col_px, width_px, height_px."""
    return pd.read_csv(REAL / "inbreast" / "calcifications.csv")


def annotated_images() -> frozenset[str]:
    """Return the images in which readers marked every calcification."""
    return frozenset(pd.read_csv(REAL / "inbreast" / "annotated.csv").image)


def near_truth(
    row_px: npt.NDArray[np.float64],
    col_px: npt.NDArray[np.float64],
    truth: pd.DataFrame,
    spacing_mm: float,
    *,
    beside_mm: float = 0.0,
) -> npt.NDArray[np.bool_]:
    """Tell which marks lie on which calcification, or at most `beside_mm` beside it; (marks, truth) bool.

    On it is what lies within 0.5 mm of a point, or within an outline and 0.2 mm.
    """
    half_mm = spacing_mm * np.hypot(truth.width_px.to_numpy(), truth.height_px.to_numpy()) / 2
    reach = (np.maximum(_REACH_MM, half_mm + _MARGIN_MM) + beside_mm) / spacing_mm
    rows, cols = row_px[:, None] - truth.row_px.to_numpy(), col_px[:, None] - truth.col_px.to_numpy()
    near: npt.NDArray[np.bool_] = np.hypot(rows, cols) <= reach
    return near


def _search(
    job: tuple[str, str, float, FoldModels | None],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    folder, name, spacing_mm, models = job
    image = ImageFile(Path(folder) / name, name, spacing_mm)
    found = detect_file(image, spot_model=models.for_background(name) if models else None)
    columns = ["file", "row_px", "col_px", "score"]
    marks = found.calcifications[[*columns, "kind"]]
    return found.summary(), found.flagged, found.candidates[columns], marks


def search_real(limit: int | None = None, jobs: int = 2, models: FoldModels | None = None) -> RealSet:
    """Search every image; about two minutes on two cores.

    Parameters
    ----------
    limit : int, optional
        Only the images of so many women of each set, with and without suspicious calcifications.
    jobs : int
        Processes.
    models : FoldModels, optional
        Models that did not see the woman of an image, instead of the one that comes with the package.
    """
    images = real_images()
    if limit is not None:
        called = images.groupby("woman").calc_suspicious.transform("any")
        some = images.assign(called=called).groupby(["set", "called"]).woman.unique()
        images = images[images.woman.isin([woman for women in some for woman in women[:limit]])]
    tasks = [
        (str(REAL / row["set"]), row["file"], row["spacing_mm"], models) for row in images.to_dict("records")
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_search, tasks, chunksize=4))
    summary, groups, candidates, marks = (
        pd.concat([part[k] for part in parts if len(part[k])], ignore_index=True) for k in range(4)
    )
    images = images.merge(summary[["file", "searched_area_cm2", "seconds"]], on="file")
    labels = pd.read_csv(REAL / "labels.csv")
    annotated = annotated_images() & set(images.file)
    return RealSet(images, groups, candidates, marks, labels, read_points(), annotated)
