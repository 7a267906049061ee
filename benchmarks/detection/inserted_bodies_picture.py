"""A picture of drawn large bodies: how they are marked, and those that are missed.

python -m benchmarks.detection.inserted_bodies_picture docs/limits.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import mcdetect
from benchmarks.detection.inserted_bodies import judged
from benchmarks.detection.inserted_body_cases import BodyCase, body_case, places

TILE_PX, ACROSS = 200, 6
MARGIN_MM = 2.0
MARK, MISSED = (80, 220, 80), (80, 80, 255)  # BGR: circles of marks, frames of bodies without any

Tile = npt.NDArray[np.uint8]


def tiles(case: BodyCase) -> list[tuple[bool, Tile]]:
    """Return a tile for each body of an image, and whether it carries exactly one mark."""
    result = mcdetect.detect(case.mammogram)
    rows = judged(case, result)
    step = case.mammogram.spacing.row_mm
    found = []
    for truth in rows[rows["form"] != "tram track"].to_dict("records"):
        half = round((0.5 * truth["major_axis_mm"] + MARGIN_MM) / step)
        row, col = round(truth["row_px"]), round(truth["col_px"])
        pixels = np.pad(case.mammogram.pixels.astype(np.float32), half, mode="edge")
        part = pixels[row : row + 2 * half + 1, col : col + 2 * half + 1]
        low, high = np.percentile(part, (1.0, 99.8))
        grey = np.clip((part - low) / max(high - low, 1e-6), 0.0, 1.0) * 255.0
        scale = TILE_PX / part.shape[0]
        tile = cv2.cvtColor(cv2.resize(grey.astype(np.uint8), (TILE_PX, TILE_PX)), cv2.COLOR_GRAY2BGR)
        for mark in result.calcifications.to_dict("records"):
            x, y = ((mark[name] - at + half + 0.5) * scale for name, at in (("col_px", col), ("row_px", row)))
            radius = max(3, round(0.5 * mark["diameter_mm"] / step * scale))
            cv2.circle(tile, (round(x), round(y)), radius, MARK, 1, cv2.LINE_AA)
        if truth["marks"] == 0:
            cv2.rectangle(tile, (1, 1), (TILE_PX - 2, TILE_PX - 2), MISSED, 2)
        label = f"{truth['form']}, {truth['diameter_mm']:.1f} mm"
        cv2.putText(
            tile, label, (6, TILE_PX - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 220, 255), 1, cv2.LINE_AA
        )
        found.append((truth["marks"] == 1, np.asarray(tile, np.uint8)))
    return found


def main(file: Path) -> None:
    """Draw six bodies with exactly one mark, and six others."""
    every = [tile for place in places(("phantom",)) for tile in tiles(body_case(place, 0))]
    rows = [np.hstack([tile for good, tile in every if good is wanted][:ACROSS]) for wanted in (True, False)]
    cv2.imwrite(str(file), np.vstack(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
