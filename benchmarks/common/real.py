"""Real mammograms with outcomes and labels (../shared/data/real), searched by the detector at hand."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from benchmarks.common.shared import DATA
from mcdetect.pipeline import detect_file
from mcdetect.readers.image_file import ImageFile

__all__ = ["REAL", "RealSet", "search_real"]

REAL = DATA / "real"
_SCREENING_MM = 0.07


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
    labels, points : DataFrame
        Groups labelled by eye; calcifications marked by readers.
    annotated : frozenset of str
        Images in which readers marked every calcification.
    """

    images: pd.DataFrame
    groups: pd.DataFrame
    candidates: pd.DataFrame
    labels: pd.DataFrame
    points: pd.DataFrame
    annotated: frozenset[str]


def _images() -> pd.DataFrame:
    diagnostic = pd.read_csv(REAL / "inbreast" / "images.csv", dtype={"birads": str})
    screening = pd.read_csv(REAL / "dutch" / "images.csv")
    screening = screening.assign(
        spacing_mm=_SCREENING_MM, birads="", calc_suspicious=False, chosen=screening.woman.str.match("nld1")
    )
    columns = ["file", "woman", "spacing_mm", "birads", "calc_suspicious", "normal"]
    both = [diagnostic[columns].assign(chosen=False, set="inbreast"), screening[[*columns, "chosen"]]]
    return pd.concat([both[0], both[1].assign(set="dutch")], ignore_index=True)


def _search(job: tuple[str, str, float]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    folder, name, spacing_mm = job
    found = detect_file(ImageFile(Path(folder) / name, name, spacing_mm))
    return found.summary(), found.flagged, found.candidates[["file", "row_px", "col_px", "score"]]


def search_real(limit: int | None = None, jobs: int = 2) -> RealSet:
    """Search every image; about two minutes on two cores.

    Parameters
    ----------
    limit : int, optional
        Only the images of so many women of each set, with and without suspicious calcifications.
    jobs : int
        Processes.
    """
    images = _images()
    if limit is not None:
        called = images.groupby("woman").calc_suspicious.transform("any")
        some = images.assign(called=called).groupby(["set", "called"]).woman.unique()
        images = images[images.woman.isin([woman for women in some for woman in women[:limit]])]
    tasks = [(str(REAL / row["set"]), row["file"], row["spacing_mm"]) for row in images.to_dict("records")]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_search, tasks, chunksize=4))
    summary, groups, candidates = (
        pd.concat([part[k] for part in parts if len(part[k])], ignore_index=True) for k in range(3)
    )
    images = images.merge(summary[["file", "searched_area_cm2", "seconds"]], on="file")
    read = [pd.read_csv(REAL / "labels.csv"), pd.read_csv(REAL / "inbreast" / "calcifications.csv")]
    annotated = frozenset(pd.read_csv(REAL / "inbreast" / "annotated.csv").image) & set(images.file)
    return RealSet(images, groups, candidates, read[0], read[1], annotated)
