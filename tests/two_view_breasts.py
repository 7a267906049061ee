"""Groups in a breast of three dimensions, as its craniocaudal and its oblique view show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import pdist

_Floats = npt.NDArray[np.float64]

NIPPLE_ERROR_MM = 4.0
"""Error of the estimated nipple along either axis, per view."""


@dataclass(frozen=True)
class Group3D:
    """Members of a group: (n, 3) positions in mm as depth behind the nipple, to the side, upwards."""

    points: _Floats
    diameter_mm: _Floats
    contrast: _Floats


def draw_group(rng: np.random.Generator, *, depth_mm: tuple[float, float] = (15.0, 70.0)) -> Group3D:
    """Draw a group with a random place, extent, number and shape."""
    depth = rng.uniform(*depth_mm)
    reach = 12.0 + 0.5 * depth
    centre = np.array([depth, *rng.uniform(-reach, reach, 2)])
    n = int(rng.integers(6, 30))
    semi_axes = rng.uniform(2.0, 9.0) * rng.uniform(0.5, 1.0, 3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    directions = rng.normal(size=(n, 3))
    directions *= (rng.random((n, 1)) ** (1 / 3)) / np.linalg.norm(directions, axis=1, keepdims=True)
    return Group3D(
        centre + (directions * semi_axes) @ turn.T,
        np.exp(rng.normal(np.log(rng.uniform(0.2, 0.5)), 0.2, n)),
        np.exp(rng.normal(np.log(rng.uniform(5, 20)), 0.3, n)),
    )


def project(group: Group3D, view: str) -> _Floats:
    """Return (n, 2) positions, across and behind the nipple in mm; the oblique view at 45 degrees."""
    depth, side, up = group.points.T
    across = side if view == "CC" else (side + up) / np.sqrt(2.0)
    return np.column_stack([across, depth])


def view_table(
    groups: list[tuple[int, Group3D]], view: str, rng: np.random.Generator, *, seen: float = 0.85
) -> pd.DataFrame:
    """Return what a detector would make of groups in one view; `truth` is the group's number, 0 for none.

    Each member is seen with a probability, the breast is spread by up to 10 % more or less, the nipple is
    found with an error, and sizes and contrasts are measured with one.
    """
    spread = rng.uniform(0.9, 1.1, 2)
    nipple = rng.normal(0.0, NIPPLE_ERROR_MM, 2)
    rows = []
    for number, group in groups:
        points = project(group, view) * spread
        kept = rng.random(len(points)) < seen
        if kept.sum() < 2:
            continue
        rows.append(
            {
                "truth": number,
                "flagged": kept.sum() >= 5,
                "score": rng.uniform(0.5, 1.0),
                "n_calcifications": int(kept.sum()),
                "nipple_distance_mm": float(np.hypot(*(points[kept].mean(axis=0) - nipple))),
                "extent_mm": float(pdist(points[kept]).max()),
                "diameter_mm_mean": float(group.diameter_mm[kept].mean() * np.exp(rng.normal(0, 0.1))),
                "contrast_mean": float(group.contrast[kept].mean() * np.exp(rng.normal(0, 0.25))),
            }
        )
    table = pd.DataFrame(rows, columns=_COLUMNS).astype(_TYPES)
    table.insert(0, "cluster_id", np.arange(1, len(table) + 1))
    return table


_TYPES = {
    "truth": "int64",
    "flagged": "bool",
    "score": "float64",
    "n_calcifications": "int64",
    "nipple_distance_mm": "float64",
    "extent_mm": "float64",
    "diameter_mm_mean": "float64",
    "contrast_mean": "float64",
}
_COLUMNS = list(_TYPES)


def draw_breast(
    rng: np.random.Generator, *, true: int = 2, false: float = 1.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both views of a breast with true groups, and false ones that only one view shows."""
    shared = [(number, draw_group(rng)) for number in range(1, true + 1)]
    tables = []
    for view in ("CC", "MLO"):
        alone = [(0, draw_group(rng)) for _ in range(rng.poisson(false))]
        tables.append(view_table([*shared, *alone], view, rng))
    return tables[0], tables[1]
