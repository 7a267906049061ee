"""Small tables for the tests of the evaluation, and slow but plain twins of its algorithms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mcdetect.validation.evaluation.cases import Images, Marks, Points, Regions


def images_of(
    n: int, *, patient: list[int] | None = None, normal: list[int] = (), area: float = 100.0
) -> Images:
    names = tuple(f"i{number}" for number in range(n))
    mask = np.zeros(n, dtype=bool)
    mask[list(normal)] = True
    return Images(
        names,
        {name: number for number, name in enumerate(names)},
        np.full((n, 2), 0.1),
        np.full(n, area),
        np.array(patient if patient is not None else range(n), dtype=np.int64),
        mask,
        "exact",
        (),
    )


def marks_of(rows: list[tuple[float, ...]], clusters: list[str] | None = None) -> Marks:
    """Rows: image, row_mm, col_mm, score and, where known, diameter_mm."""
    table = np.array([(*row, *[np.nan] * (5 - len(row))) for row in rows], dtype=float).reshape(-1, 5)
    order = np.lexsort((-table[:, 3], table[:, 0]))
    names = np.array(clusters if clusters is not None else [""] * len(rows), dtype=object)
    table = table[order]
    return Marks(
        table[:, 0].astype(np.int64),
        table[:, 1:3],
        table[:, 3],
        table[:, 4],
        np.full((len(table), 4), np.nan),
        names[order],
        order,
    )


def points_of(
    rows: list[tuple[float, ...]], *, ignore: list[int] = (), clusters: list[str] | None = None
) -> Points:
    """Rows: image, row_mm, col_mm and, where known, diameter_mm and snr."""
    table = np.array([(*row, *[np.nan] * (5 - len(row))) for row in rows], dtype=float).reshape(-1, 5)
    mask = np.zeros(len(table), dtype=bool)
    mask[list(ignore)] = True
    return Points(
        table[:, 0].astype(np.int64),
        table[:, 1:3],
        table[:, 3],
        table[:, 4],
        np.array(clusters if clusters is not None else [""] * len(table), dtype=object),
        mask,
        np.arange(len(table)),
    )


def regions_of(rows: list[tuple[float, ...]], *, ignore: list[int] = ()) -> Regions:
    """Rows: image, first row, first column, last row, last column, and the radius of circles."""
    table = np.array([(*row, *[np.nan] * (6 - len(row))) for row in rows], dtype=float).reshape(-1, 6)
    mask = np.zeros(len(table), dtype=bool)
    mask[list(ignore)] = True
    return Regions(
        table[:, 0].astype(np.int64),
        table[:, 1:5],
        table[:, 5],
        np.full(len(table), "", dtype=object),
        mask,
        np.arange(len(table)),
    )


def small_study(seed: int = 0, n: int = 12) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return detections, truth and images with ties, misses, doubles and normal images; 0.1 mm pixels."""
    rng = np.random.default_rng(seed)
    marks, truth = [], []
    for number in range(n):
        name = f"i{number}"
        marks += [(name, *rng.uniform(0, 800, 2), round(rng.normal(), 1)) for _ in range(rng.integers(1, 9))]
        for _ in range(rng.integers(1, 6) if number % 3 else 0):
            x, y = rng.uniform(0, 800, 2)
            truth.append((name, x, y, rng.uniform(0.1, 0.8), rng.uniform(2, 14)))
            if rng.random() < 0.8:
                marks.append((name, x + rng.normal(), y + rng.normal(), round(rng.normal() + 1.5, 1)))
    images = pd.DataFrame(
        {
            "image": [f"i{k}" for k in range(n)],
            "spacing_mm": 0.1,
            "area_cm2": rng.uniform(50, 150, n),
            "patient": [f"p{k // 2}" for k in range(n)],
        }
    )
    return (
        pd.DataFrame(marks, columns=["image", "x", "y", "score"]),
        pd.DataFrame(truth, columns=["image", "x", "y", "diameter_mm", "snr"]),
        images,
    )
