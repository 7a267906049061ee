"""Sensitivity on 25 simulated mammograms that no part of mcdetect was fitted on.

    python benchmarks/fda_p0.py [--out DIR]

Data: ../shared/data/fda_p0 (one breast phantom, Monte Carlo x-ray simulation, 0.085 mm, 8 bit).
Rules: a candidate matches the nearest free calcification within 0.35 mm, highest score first, one to
one; an unmatched one inside a cluster's box padded by 8 px counts neither way; any other is a
false positive, per cm2 of searched breast over all images. A cluster is found when the centre of a
group of the clusters table lies in its padded box; a group whose centre lies in none is false.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from record import recorded
from scipy.spatial import cKDTree

from mcdetect import Result, detect

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fda_p0"
SPACING_MM = 0.085
MATCH_MM = 0.35
PAD_PX = 8


def in_boxes(
    row: npt.NDArray[np.float64], col: npt.NDArray[np.float64], boxes: pd.DataFrame
) -> npt.NDArray[np.bool_]:
    """(n, boxes) bool array: whether each point lies in each padded box."""
    inside = (row[:, None] >= boxes["y0"].to_numpy() - PAD_PX) & (
        row[:, None] <= boxes["y1"].to_numpy() + PAD_PX
    )
    return inside & (
        (col[:, None] >= boxes["x0"].to_numpy() - PAD_PX) & (col[:, None] <= boxes["x1"].to_numpy() + PAD_PX)
    )


def match(table: pd.DataFrame, truth: pd.DataFrame, boxes: pd.DataFrame) -> npt.NDArray[np.int64]:
    """1 for a candidate that found a calcification, 0 for a false one, -1 for neither."""
    place = table[["row_px", "col_px"]].to_numpy()
    tree = cKDTree(truth[["y", "x"]].to_numpy(float))
    label = np.where(in_boxes(place[:, 0], place[:, 1], boxes).any(axis=1), -1, 0)
    free = np.ones(len(truth), bool)
    for i in np.argsort(-table["score"].to_numpy(), kind="stable"):
        near = [k for k in tree.query_ball_point(place[i], MATCH_MM / SPACING_MM) if free[k]]
        if near:
            k = min(near, key=lambda k: np.hypot(*(tree.data[k] - place[i])))
            free[k], label[i] = False, 1
    return label


def sweep(
    score: npt.NDArray[np.float64], label: npt.NDArray[np.int64], truths: int, unit: float
) -> pd.DataFrame:
    """Sensitivity and false positives per unit as the threshold falls."""
    order = np.argsort(-score, kind="stable")
    return pd.DataFrame(
        {
            "score": score[order],
            "sensitivity": np.cumsum(label[order] == 1) / truths,
            "false": np.cumsum(label[order] == 0) / unit,
        }
    )


def at(curve: pd.DataFrame, rate: float) -> float:
    """Sensitivity at a rate of false positives."""
    allowed = curve[curve["false"] <= rate]
    return float(allowed["sensitivity"].max()) if len(allowed) else 0.0


def clusters_found(
    result: Result, boxes: pd.DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Score and label of every flagged group; the best group of a box finds it, others there count not."""
    flagged = result.flagged
    inside = in_boxes(flagged["row_px"].to_numpy(), flagged["col_px"].to_numpy(), boxes)
    label = np.where(inside.any(axis=1), -1, 0)
    for box in range(len(boxes)):
        hit = np.flatnonzero(inside[:, box])
        if hit.size:
            label[hit[np.argmax(flagged["score"].to_numpy()[hit])]] = 1
    return flagged["score"].to_numpy(), label


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="also write overlays and curves here")
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    options = parser.parse_args()
    with recorded("fda_p0", keep=options.record):
        run(options)


def run(options: argparse.Namespace) -> None:
    """Detect, measure and print."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not there; it holds the simulated mammograms that this script needs")
    truth, boxes = pd.read_csv(DATA / "calcs.csv"), pd.read_csv(DATA / "clusters.csv")
    names = pd.read_csv(DATA / "images.csv")["image"]
    scores, labels, group_scores, group_labels, area, seconds = [], [], [], [], 0.0, []
    operating = [0, 0]
    for name in names:
        image = cv2.imread(str(DATA / name), cv2.IMREAD_UNCHANGED)
        start = time.perf_counter()
        result = detect(image, pixel_spacing_mm=SPACING_MM)
        seconds.append(time.perf_counter() - start)
        own = boxes[boxes["image"] == name]
        scores.append(result.candidates["score"].to_numpy())
        labels.append(match(result.candidates, truth[truth["image"] == name], own))
        above = scores[-1] >= result.config.calcifications.min_score
        operating[0] += int((labels[-1][above] == 1).sum())
        operating[1] += int((labels[-1][above] == 0).sum())
        group_score, group_label = clusters_found(result, own)
        group_scores.append(group_score)
        group_labels.append(group_label)
        area += float(np.count_nonzero(result.breast.searched)) * SPACING_MM**2 / 100.0
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(options.out / name), result.overlay()[:, :, ::-1])
    single = sweep(np.concatenate(scores), np.concatenate(labels), len(truth), area)
    group = sweep(np.concatenate(group_scores), np.concatenate(group_labels), len(boxes), len(names))
    print(f"{len(names)} images, {len(truth)} calcifications, {len(boxes)} clusters, {area:.0f} cm2 searched")
    for rate in (0.05, 0.1, 0.2, 0.4, 1.0, 2.0):
        print(f"calcifications at {rate:4} false positives per cm2: {at(single, rate):.3f}")
    print(
        f"calcifications at score 0.5: {operating[0] / len(truth):.3f} "
        f"at {operating[1] / area:.3f} false positives per cm2"
    )
    for rate in (0.05, 0.1, 0.2, 0.5, 1.0):
        print(f"clusters at {rate:4} false groups per image: {at(group, rate):.3f}")
    best, false = group["sensitivity"].max(), group["false"].max()
    print(f"clusters flagged at score 0.5: {best:.3f} at {false:.2f} false groups per image")
    print(f"median {np.median(seconds):.2f} s per image of 1500 x 3000")
    if options.out:
        single.to_csv(options.out / "calcifications.csv", index=False)
        group.to_csv(options.out / "clusters.csv", index=False)


if __name__ == "__main__":
    main()
