"""Are groups named right? Confusion tables of distribution, morphology and benign kind on drawn groups.

Groups are drawn into phantom backgrounds (`descriptor_cases.py`) and go through `mcdetect.detect`: what is
named are the members it found, not those that were drawn.

    python -m benchmarks descriptors [--images 20] [--record]
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.measurement.descriptor_cases import (
    DISTRIBUTIONS,
    MORPHOLOGIES,
    Case,
    background,
    draw_case,
    scattered_case,
)
from mcdetect import detect

IMAGES: tuple[tuple[str, ...], ...] = (
    ("segmental", "linear", "round", "round"),
    ("linear", "segmental", "round"),
    ("uniform", "heterogeneous", "uniform", "heterogeneous"),
    ("punctate", "fine_pleomorphic", "coarse_heterogeneous"),
    ("fine_linear", "coarse", "rim"),
    ("vascular", "rod"),
)
_NEAR_MM = 1.0
EXPECTED = {"round": ("grouped",), "linear": ("linear",), "segmental": ("segmental",)}
EXPECTED_SCATTER = ("diffuse", "regional")


@dataclass(frozen=True)
class Found:
    """The flagged group that holds most of a drawn one."""

    kind: str
    cluster: pd.Series[Any]


def matched(case: Case, clusters: pd.DataFrame, calcifications: pd.DataFrame) -> Iterator[Found]:
    """Yield the flagged group for each drawn one; drawn ones that were not flagged are passed over."""
    places = calcifications[["row_px", "col_px"]].to_numpy()
    flagged = clusters[clusters["flagged"]]
    for number, kind in enumerate(case.kinds, start=1):
        drawn = case.truth.loc[case.truth["group_id"] == number, ["row_px", "col_px"]].to_numpy()
        away = np.sqrt(((places[:, None] - drawn[None]) ** 2).sum(axis=2)).min(axis=1) * case.spacing_mm
        labels = calcifications.loc[away < _NEAR_MM, "cluster_id"]
        labels = labels[labels.isin(flagged["cluster_id"])]
        if len(labels):
            most = labels.value_counts().idxmax()
            yield Found(kind, clusters[clusters["cluster_id"] == most].iloc[0])


def auc(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> float:
    """Return the share of pairs in which the second is larger."""
    return float(((high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])).mean())


def run(images: int, first_seed: int = 0) -> tuple[list[Found], list[str], float]:
    """Return the named groups, the words for scattered calcifications, and the seconds per image."""
    found: list[Found] = []
    scattered: list[str] = []
    seconds = []
    for seed in range(first_seed, first_seed + images):
        base = background(seed + 1)
        for number, kinds in enumerate(IMAGES):
            case = draw_case(base, kinds, 1000 * seed + number)
            start = time.perf_counter()
            result = detect(case.pixels, case.spacing_mm)
            seconds.append(time.perf_counter() - start)
            found += matched(case, result.clusters, result.calcifications)
        result = detect(scattered_case(base, seed).pixels, base.spacing.row_mm)
        scattered.append("grouped" if len(result.flagged) else result.scatter_distribution)
    return found, scattered, float(np.median(seconds))


def table(found: list[Found], column: str, kinds: tuple[str, ...]) -> pd.DataFrame:
    """Return how often each drawn kind got each word."""
    rows = [(f.kind, f.cluster[column] or "none") for f in found if f.kind in kinds]
    frame = pd.DataFrame(rows, columns=["drawn", "named"])
    return pd.crosstab(frame["drawn"], frame["named"]).reindex(list(kinds), fill_value=0)


def distribution_right(found: list[Found], scattered: list[str]) -> tuple[int, int]:
    """Return how many distributions are right, and of how many."""
    named = [f.cluster["distribution"] in EXPECTED[f.kind] for f in found if f.kind in EXPECTED]
    named += [word in EXPECTED_SCATTER for word in scattered]
    return int(np.sum(named)), len(named)


def heterogeneity_auc(found: list[Found], column: str = "heterogeneity") -> float:
    """Return the area under the ROC curve of heterogeneous against uniform groups."""
    values = {
        k: np.array([f.cluster[column] for f in found if f.kind == k]) for k in ("uniform", "heterogeneous")
    }
    return auc(values["uniform"], values["heterogeneous"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("descriptors", __doc__)
    add = command.parser.add_argument
    add("--images", type=int, default=20, help="backgrounds; seven images are made of each")
    add("--seed", type=int, default=0, help="first seed")
    options, recorder = command.parse(arguments)
    found, scattered, seconds = run(options.images, options.seed)
    recorder.add("backgrounds", options.images, "count")
    recorder.add("flagged groups", len(found), "count")
    recorder.add("seconds per image", seconds, "s")
    add_figures(recorder, found, scattered)
    finish(recorder, options)


def add_figures(recorder: Recorder, found: list[Found], scattered: list[str]) -> None:
    """Add what was named right, the confusion tables and the suspicion index."""
    right, of = distribution_right(found, scattered)
    recorder.add("distribution right", right / of, "share", of=of)
    for word, number in pd.Series(scattered).replace("", "none").value_counts().items():
        recorder.add("scattered images", int(number), "count", named=str(word))
    for word, column, kinds in (
        ("distribution", "distribution", DISTRIBUTIONS),
        ("morphology", "morphology", MORPHOLOGIES),
        ("benign kind", "benign_kind", MORPHOLOGIES),
    ):
        for drawn, row in table(found, column, kinds).iterrows():
            for named, number in row.items():
                recorder.add("groups", int(number), "count", word=word, drawn=str(drawn), named=str(named))
    of_kind = pd.Series([f.kind for f in found], dtype=str).value_counts()
    casting = pd.Series([f.kind for f in found if f.cluster["casting_type"] >= 0.5], dtype=str)
    for kind, number in casting.value_counts().items():
        of = int(of_kind.loc[str(kind)])
        recorder.add("casting type", int(number) / of, "share", of=of, drawn=str(kind))
    if {"uniform", "heterogeneous"} <= set(of_kind.index):
        for column in ("heterogeneity", "size_spread", "aspect_spread", "contrast_spread"):
            recorder.add("AUC", heterogeneity_auc(found, column), measure=column)
    index = pd.DataFrame([(f.kind, f.cluster["suspicion"]) for f in found], columns=["drawn", "suspicion"])
    for drawn, values in index.groupby("drawn")["suspicion"]:
        recorder.add("groups of a kind", len(values), "count", drawn=str(drawn))
        for quartile, share in (("25 %", 0.25), ("50 %", 0.5), ("75 %", 0.75)):
            value = float(values.quantile(share))
            recorder.add("suspicion", value, "index", drawn=str(drawn), quartile=quartile)


if __name__ == "__main__":
    main()
