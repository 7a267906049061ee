"""Are groups named right? Confusion tables of distribution, morphology and benign kind on drawn groups.

Groups are drawn into phantom backgrounds (`descriptor_cases.py`) and go through `mcdetect.detect`: what is
named are the members it found, not those that were drawn. Run: python benchmarks/descriptors.py --images 20
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from descriptor_cases import DISTRIBUTIONS, MORPHOLOGIES, Case, background, draw_case, scattered_case
from record import recorded

import mcdetect
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
    cluster: pd.Series


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


def auc(low: np.ndarray, high: np.ndarray) -> float:
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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20, help="backgrounds; seven images are made of each")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    options = parser.parse_args()
    with recorded("descriptors", keep=options.record):
        report(options)


def report(options: argparse.Namespace) -> None:
    """Detect and print."""
    found, scattered, seconds = run(options.images, options.seed)
    count = f"{options.images} backgrounds, {len(found)} flagged groups, {seconds:.1f} s per image"
    print(f"mcdetect {mcdetect.__version__}: {count}")
    right, of = distribution_right(found, scattered)
    print(f"\nDistribution right: {right} of {of} ({100 * right / of:.1f} %)")
    print(table(found, "distribution", DISTRIBUTIONS))
    print("scattered:", pd.Series(scattered).replace("", "none").value_counts().to_dict())
    print("\nMorphology")
    print(table(found, "morphology", MORPHOLOGIES).to_string())
    print("\nBenign kind")
    print(table(found, "benign_kind", MORPHOLOGIES).to_string())
    casting = pd.Series([f.kind for f in found if f.cluster["casting_type"] >= 0.5], dtype=str)
    drawn = sum(f.kind == "fine_linear" for f in found)
    print(f"\nCasting type, of {drawn} drawn fine linear:", casting.value_counts().to_dict())
    print("\nHeterogeneous against uniform, AUC")
    for column in ("heterogeneity", "size_spread", "aspect_spread", "contrast_spread"):
        print(f"  {column}: {heterogeneity_auc(found, column):.3f}")
    index = pd.DataFrame([(f.kind, f.cluster["suspicion"]) for f in found], columns=["drawn", "suspicion"])
    print("\nSuspicion index by drawn kind")
    print(index.groupby("drawn")["suspicion"].describe()[["count", "25%", "50%", "75%"]].round(1).to_string())


if __name__ == "__main__":
    main()
