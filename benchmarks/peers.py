"""mcdetect beside general spot detectors, on the same images, in the same run.

    python benchmarks/peers.py [--images 25] [--out benchmarks/results]

Data and matching rules: benchmarks/fda_p0.py (images that nothing here was fitted on). Every peer gets
mcdetect's search mask and is run once with a threshold low enough to reach more than five false
positives per cm2; its marks are then ranked by its own response, which is the sweep over its threshold.
Intervals of differences: 2,000 paired bootstrap samples of images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import fda_p0
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import sep
import trackpy
from scipy.ndimage import gaussian_filter, gaussian_laplace, maximum_filter
from skimage.feature import blob_dog, blob_log

from mcdetect import detect

RATES = (0.05, 0.1, 0.2, 0.4, 1.0, 2.0, 5.0)
SIGMA_PX = (0.07 / fda_p0.SPACING_MM, 0.35 / fda_p0.SPACING_MM)

Image = npt.NDArray[np.float32]
Marks = npt.NDArray[np.float64]  # (n, 3): row, column, strength


def skimage_dog(image: Image) -> Marks:
    """`skimage.feature.blob_dog`, ranked by its scale-normalised response."""
    ratio = 1.6
    found = blob_dog(image, SIGMA_PX[0], SIGMA_PX[1], sigma_ratio=ratio, threshold=0.006)
    strength = np.zeros(len(found))
    for sigma in np.unique(found[:, 2]):
        cube = (gaussian_filter(image, sigma) - gaussian_filter(image, sigma * ratio)) / (ratio - 1)
        own = found[:, 2] == sigma
        strength[own] = cube[tuple(found[own, :2].astype(int).T)]
    return np.column_stack([found[:, :2], strength])


def skimage_log(image: Image) -> Marks:
    """`skimage.feature.blob_log`, ranked by its scale-normalised response."""
    found = blob_log(image, SIGMA_PX[0], SIGMA_PX[1], num_sigma=6, threshold=0.02)
    strength = np.zeros(len(found))
    for sigma in np.unique(found[:, 2]):
        cube = -gaussian_laplace(image, sigma) * sigma**2
        own = found[:, 2] == sigma
        strength[own] = cube[tuple(found[own, :2].astype(int).T)]
    return np.column_stack([found[:, :2], strength])


def trackpy_locate(image: Image) -> Marks:
    """`trackpy.locate` with a diameter of 0.6 mm, ranked by mass."""
    table = trackpy.locate(255.0 * image, diameter=7, minmass=30, percentile=50, preprocess=True)
    return table[["y", "x", "mass"]].to_numpy()


def sep_extract(image: Image) -> Marks:
    """`sep.extract` over its own background and noise, ranked by peak."""
    data = np.ascontiguousarray(image, np.float32)
    background = sep.Background(data, bw=32, bh=32)
    sep.set_extract_pixstack(2_000_000)
    found = sep.extract(data - background, 1.3, err=background.rms(), minarea=3)
    place = found["ypeak"].astype(int), found["xpeak"].astype(int)
    return np.column_stack([found["y"], found["x"], found["peak"] / background.rms()[place]])


def opencv_tophat(image: Image) -> Marks:
    """White top-hat of 1 mm on a slightly smoothed image, ranked by height at local maxima."""
    smooth = cv2.GaussianBlur(image, (0, 0), SIGMA_PX[0])
    side = 2 * round(0.5 / fda_p0.SPACING_MM) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    height = cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, kernel)
    peak = (height == maximum_filter(height, 5)) & (height > 0.01)
    place = np.argwhere(peak)
    return np.column_stack([place, height[peak]])


PEERS: dict[str, Callable[[Image], Marks]] = {
    "skimage blob_dog": skimage_dog,
    "skimage blob_log": skimage_log,
    "trackpy locate": trackpy_locate,
    "sep extract": sep_extract,
    "OpenCV top-hat": opencv_tophat,
}


def curve(
    scores: list[pd.DataFrame], truths: list[int], areas: list[float], chosen: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """FROC over a choice of images (with repetition)."""
    table = pd.concat([scores[i] for i in chosen])
    return fda_p0.sweep(
        table["score"].to_numpy(),
        table["label"].to_numpy(),
        sum(truths[i] for i in chosen),
        sum(areas[i] for i in chosen),
    )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=25)
    parser.add_argument("--out", type=Path, help="write the curves and the plot here")
    options = parser.parse_args()
    truth, boxes = pd.read_csv(fda_p0.DATA / "calcs.csv"), pd.read_csv(fda_p0.DATA / "clusters.csv")
    names = pd.read_csv(fda_p0.DATA / "images.csv")["image"].iloc[:: max(1, 25 // options.images)]
    marks: dict[str, list[pd.DataFrame]] = {name: [] for name in ("mcdetect", *PEERS)}
    seconds: dict[str, list[float]] = {name: [] for name in marks}
    truths, areas = [], []
    for name in names:
        image = cv2.imread(str(fda_p0.DATA / name), cv2.IMREAD_UNCHANGED)
        own_truth, own_boxes = truth[truth["image"] == name], boxes[boxes["image"] == name]
        start = time.perf_counter()
        result = detect(image, pixel_spacing_mm=fda_p0.SPACING_MM)
        seconds["mcdetect"].append(time.perf_counter() - start)
        tables = {"mcdetect": result.candidates[["row_px", "col_px", "score"]].copy()}
        searched = result.breast.searched
        for peer, run in PEERS.items():
            start = time.perf_counter()
            found = run((image / np.float32(255)).astype(np.float32))
            seconds[peer].append(time.perf_counter() - start)
            index = np.rint(found[:, :2]).astype(int)
            inside = searched[
                index[:, 0].clip(0, image.shape[0] - 1), index[:, 1].clip(0, image.shape[1] - 1)
            ]
            tables[peer] = pd.DataFrame(found[inside], columns=["row_px", "col_px", "score"])
        for detector, table in tables.items():
            table["label"] = fda_p0.match(table, own_truth, own_boxes)
            marks[detector].append(table)
        truths.append(len(own_truth))
        areas.append(float(np.count_nonzero(searched)) * fda_p0.SPACING_MM**2 / 100.0)
    every = np.arange(len(names))
    curves = {name: curve(tables, truths, areas, every) for name, tables in marks.items()}
    print(
        f"{len(names)} images, {sum(truths)} calcifications; sensitivity at false positives per cm2, and time"
    )
    print(f"{'':18s}" + "".join(f"{rate:>8}" for rate in RATES) + "   s/image")
    for name, table in curves.items():
        figures = "".join(f"{fda_p0.at(table, rate):8.3f}" for rate in RATES)
        print(f"{name:18s}{figures}{np.median(seconds[name]):10.2f}")
    rng = np.random.default_rng(0)
    samples = rng.integers(len(names), size=(2000, len(names)))
    print("mcdetect less the peer, 95 % interval over images:")
    for name in PEERS:
        text = ""
        for rate in (0.4, 1.0):
            gain = _paired(marks["mcdetect"], marks[name], truths, areas, samples, rate)
            low, high = np.percentile(gain, [2.5, 97.5])
            text += f"   at {rate}: {low:+.3f} to {high:+.3f}"
        print(f"{name:18s}{text}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        _plot(curves, options.out / "peers_froc.png")


def _paired(
    one: list[pd.DataFrame],
    other: list[pd.DataFrame],
    truths: list[int],
    areas: list[float],
    samples: npt.NDArray[np.int64],
    rate: float,
) -> npt.NDArray[np.float64]:
    """Difference in sensitivity at a rate, for every bootstrap sample of images."""
    number, area = np.array(truths, float), np.array(areas)
    gains = []
    for tables in (one, other):
        image = np.concatenate([np.full(len(t), i) for i, t in enumerate(tables)])
        joined = pd.concat(tables)
        order = np.argsort(-joined["score"].to_numpy(), kind="stable")
        image, label = image[order], joined["label"].to_numpy()[order]
        values = []
        for sample in samples:
            weight = np.bincount(sample, minlength=len(tables)).astype(float)
            w = weight[image]
            false = np.cumsum(w * (label == 0)) / (weight @ area)
            true = np.cumsum(w * (label == 1)) / (weight @ number)
            last = int(np.searchsorted(false, rate, side="right")) - 1
            values.append(true[last] if last >= 0 else 0.0)
        gains.append(np.array(values))
    return gains[0] - gains[1]


def _plot(curves: dict[str, pd.DataFrame], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 5))
    for name, table in curves.items():
        axes.plot(table["false"], table["sensitivity"], label=name, lw=2.5 if name == "mcdetect" else 1.2)
    axes.set(xscale="log", xlim=(0.02, 10), ylim=(0, 1), ylabel="sensitivity")
    axes.set_xlabel("false positives per cm2")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
